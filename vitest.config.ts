import { configDefaults, defineConfig } from "vitest/config";
import { endToEndTests } from "./test/harness/end-to-end.ts";

const endToEnd = [...endToEndTests()];

export default defineConfig({
  test: {
    setupFiles: ["test/harness/patience.ts"],
    // Many tests wait for real processes: so a worker more than there are processors.
    maxWorkers: 3,
    // Bounds for what hangs, not for what is slow: a machine that others use takes three times as long.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Polled conditions are about processes too: a second, vitest's default, is short on a busy machine.
    expect: { poll: { timeout: 45_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.{ts,tsx}"],
          exclude: [...configDefaults.exclude, ...endToEnd],
        },
      },
      { extends: true, test: { name: "e2e", include: endToEnd, globalSetup: ["test/harness/build.ts"] } },
    ],
  },
});
