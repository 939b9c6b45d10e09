import { configDefaults, defineConfig } from "vitest/config";
import { endToEndTests, longTests } from "./test/harness/tests-by-import.ts";

const endToEnd = [...endToEndTests()];
const peers = "test/**/*.peers.test.ts";
const exclude = [...configDefaults.exclude, peers];
const globalSetup = ["test/harness/build.ts"];

export default defineConfig({
  test: {
    setupFiles: ["test/harness/patience.ts", "test/harness/compile-cache.ts"],
    // Many tests wait for real processes: so a worker more than there are processors.
    maxWorkers: 3,
    // No module has state, so files can share a process. One of their own for each cost a third of the processor's time.
    isolate: false,
    // Bounds for what hangs, not for what is slow: a machine that others use takes three times as long.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Polled conditions are about processes too: a second, vitest's default, is short on a busy machine.
    expect: { poll: { timeout: 45_000 } },
    projects: [
      {
        extends: true,
        test: { name: "unit", include: ["test/**/*.test.{ts,tsx}"], exclude: [...exclude, ...endToEnd] },
      },
      { extends: true, test: { name: "e2e", include: endToEnd, exclude, globalSetup } },
      { extends: true, test: { name: "peers", include: [peers], globalSetup } },
      { extends: true, test: { name: "soak", include: [...longTests()], exclude, globalSetup } },
    ],
  },
});
