import { Worker, type ResourceLimits } from "node:worker_threads";

/**
 * What a thread runs.
 *
 * @param module without its ending: compiled it is `.js`, and `.ts` in the tests, which run the source
 */
export const threadEntry = (module: string, from: string): URL =>
  new URL(`${module}${from.endsWith(".ts") ? ".ts" : ".js"}`, from);

/** Starts a thread that gets its task, and nothing of this process's environment and flags. */
export const startThread = (entry: URL, task: unknown, resourceLimits: ResourceLimits): Worker =>
  new Worker(entry, { workerData: task, env: {}, execArgv: [], resourceLimits });
