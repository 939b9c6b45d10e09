import { on } from "node:events";
import { Worker } from "node:worker_threads";
import { stopped } from "../errors.ts";
import type { ReviewTask } from "./review-task.ts";
import type { FromWorker } from "./review-worker.ts";

/** Compiled or, in the tests, as it is. */
const entry = new URL(`./review-worker${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);
/** Reading needs a few; a log that made it need more is damaged, and must not take the server with it. */
const mostMemoryMb = 256;

/**
 * Does a task in a thread of its own, an item for each time one is asked for. The server's own thread serves every session:
 * verifying a million events there would stop them all for ten seconds. Stopping ends the thread at once, wherever it is.
 */
export async function* runInWorker(
  task: ReviewTask,
  onProgress: (events: number) => void,
  signal: AbortSignal,
): AsyncGenerator {
  if (signal.aborted) throw stopped();
  const worker = new Worker(entry, {
    workerData: task,
    env: {},
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: mostMemoryMb },
  });
  worker.on("error", () => undefined); // told to who iterates; one that comes after that must not end the server
  try {
    const messages = on(worker, "message", { signal, close: ["exit"] });
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- of windows, which a thread is none
    const ask = (): void => worker.postMessage("next");
    ask();
    for await (const [message] of messages as AsyncIterable<[FromWorker]>) {
      // review-worker.ts posts nothing else
      if (message.kind === "progress") onProgress(message.events);
      else if (message.kind === "done") return;
      else if (message.kind === "failed") throw new Error(message.message);
      else {
        yield message.item;
        ask();
      }
    }
    throw new Error("the thread that read the record ended before its work");
  } catch (error) {
    throw signal.aborted ? stopped() : error;
  } finally {
    await worker.terminate();
  }
}
