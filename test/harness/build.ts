import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..", "..");

/**
 * Vitest's global set-up: the end-to-end tests run what is shipped, so it is built before them. `npm run check` looks at the types.
 * A demo is made once, and copied by `makeDemo`: making its keys anew takes as long as starting a server.
 */
export default (): (() => void) => {
  execFileSync(process.execPath, [join(root, "build.ts"), "--without-types"], { cwd: root, stdio: "inherit" });
  const directory = mkdtempSync(join(tmpdir(), "pep-demo-"));
  const demo = join(directory, "pep");
  execFileSync(join(root, "dist", "bin", "pep"), ["init", "--demo", "--data-dir", demo], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  process.env["PEP_TEST_DEMO"] = demo;
  return () => rmSync(directory, { recursive: true, force: true });
};
