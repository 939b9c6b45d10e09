import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.{ts,tsx}"],
    globalSetup: ["test/harness/build.ts"],
    // Many tests wait for real processes: so a worker more than there are processors.
    maxWorkers: 3,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Polled conditions are about processes too: a second, vitest's default, is short on a busy machine.
    expect: { poll: { timeout: 15_000 } },
  },
});
