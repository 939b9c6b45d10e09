import { globSync } from "node:fs";
import { importsOf, root } from "./read-imports.ts";

/**
 * Files of tests that reach one of these modules through modules of tests.
 * Read from the imports, because a list or a name of its own would be wrong one day.
 */
const testsThatReach = (modules: ReadonlySet<string>): readonly string[] => {
  const known = new Map<string, boolean>();
  const reaches = (file: string): boolean => {
    const before = known.get(file);
    if (before !== undefined) return before;
    known.set(file, modules.has(file));
    const found =
      modules.has(file) || importsOf(file).some(({ to }) => modules.has(to) || (to.startsWith("test/") && reaches(to)));
    known.set(file, found);
    return found;
  };
  return globSync("test/**/*.test.{ts,tsx}", { cwd: root }).filter(reaches).sort();
};

/** What runs the built program, and what bundles the UI. */
export const endToEndTests = (): readonly string[] => testsThatReach(new Set(["test/harness/endpoint.ts", "build.ts"]));

/** What `npm test` takes a share of. */
export const longTests = (): readonly string[] => testsThatReach(new Set(["test/harness/share.ts"]));
