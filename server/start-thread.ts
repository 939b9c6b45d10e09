import { getCompileCacheDir } from "node:module";
import { Worker, type ResourceLimits } from "node:worker_threads";

/**
 * What a thread runs.
 *
 * @param module without its ending: compiled it is `.js`, and `.ts` in the tests, which run the source
 */
export const threadEntry = (module: string, from: string): URL =>
  new URL(`${module}${from.endsWith(".ts") ? ".ts" : ".js"}`, from);

/** Compiling source takes longer than a thread's work, so where Node keeps what it compiled (the tests have it so), the thread does too. */
const environmentOf = (entry: URL): Readonly<Record<string, string>> => {
  const kept = entry.pathname.endsWith(".ts") ? getCompileCacheDir() : undefined;
  return kept === undefined ? {} : { NODE_COMPILE_CACHE: kept };
};

/** Starts a thread that gets its task, and nothing of this process's environment and flags. */
export const startThread = (entry: URL, task: unknown, resourceLimits: ResourceLimits): Worker =>
  new Worker(entry, { workerData: task, env: environmentOf(entry), execArgv: [], resourceLimits });
