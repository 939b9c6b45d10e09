import { execFileSync } from "node:child_process";
import { join } from "node:path";

/** Vitest's global set-up: the end-to-end tests run what is shipped, so it is built before them. */
export default (): void => {
  const root = join(import.meta.dirname, "..", "..");
  execFileSync(process.execPath, [join(root, "build.ts")], { cwd: root, stdio: "inherit" });
};
