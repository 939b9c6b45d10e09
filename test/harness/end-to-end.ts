import { globSync } from "node:fs";
import { importsOf, root } from "./read-imports.ts";

/** What runs the built program, and what bundles the UI. */
const building = new Set(["test/harness/endpoint.ts", "build.ts"]);

/**
 * Files of tests that need what is built, or bundle the UI themselves: those that reach one of these modules through modules of tests.
 * Read from the imports, because a list or a name of its own would be wrong one day.
 */
export const endToEndTests = (): readonly string[] => {
  const known = new Map<string, boolean>();
  const reaches = (file: string): boolean => {
    const before = known.get(file);
    if (before !== undefined) return before;
    known.set(file, building.has(file));
    const found =
      building.has(file) ||
      importsOf(file).some(({ to }) => building.has(to) || (to.startsWith("test/") && reaches(to)));
    known.set(file, found);
    return found;
  };
  return globSync("test/**/*.test.{ts,tsx}", { cwd: root }).filter(reaches).sort();
};
