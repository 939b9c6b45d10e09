import type { Runtime } from "../../server/runtime.ts";

/** The machine's own clocks. A problem that nobody expects fails the test. */
export const testRuntime = (over: Partial<Runtime> = {}): Runtime => ({
  now: () => new Date(),
  uptimeMs: () => performance.now(),
  report: (problem) => {
    throw new Error(problem);
  },
  ...over,
});
