import { on } from "node:events";
import { setTimeout } from "node:timers/promises";
import { stopped } from "../errors.ts";
import { startThread, threadEntry } from "../start-thread.ts";
import type { ReviewItems, ReviewKind, ReviewTask } from "./review-task.ts";
import type { FromWorker } from "./review-worker.ts";

const entry = threadEntry("./review-worker", import.meta.url);
/**
 * How long stopping waits for the thread to end. One that waits for a file system that hangs does not hear it; it ends when the
 * file system answers, or with the process.
 */
const endsWithinMs = 500;

export interface ThreadOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: (events: number) => void;
  /** Called once the thread is gone, which may be later than the work is over. */
  readonly onGone?: () => void;
  /** A log that makes it need more is damaged, and must not take the server with it. */
  readonly mostMemoryMb?: number;
}

/**
 * Does a task in a thread of its own, an item for each time one is asked for. The server's own thread serves every session:
 * verifying a million events there would stop them all for ten seconds. Stopping ends the thread at once, wherever it is, but in
 * a system call.
 */
export async function* runInWorker<Kind extends ReviewKind>(
  task: ReviewTask<Kind>,
  { signal, onProgress, onGone, mostMemoryMb }: ThreadOptions,
): AsyncGenerator<ReviewItems[Kind]> {
  if (signal.aborted) throw stopped();
  const worker = startThread(entry, task, mostMemoryMb === undefined ? {} : { maxOldGenerationSizeMb: mostMemoryMb });
  worker.on("error", () => undefined); // told to who iterates; one that comes after that must not end the server
  if (onGone !== undefined) worker.once("exit", onGone);
  try {
    const messages = on(worker, "message", { signal, close: ["exit"] });
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- of windows, which a thread is none
    const ask = (): void => worker.postMessage("next");
    ask();
    for await (const [message] of messages as AsyncIterable<[FromWorker]>) {
      // review-worker.ts posts nothing else
      if (message.kind === "progress") onProgress?.(message.events);
      else if (message.kind === "done") return;
      else if (message.kind === "failed") throw new Error(message.message);
      else {
        yield message.item as ReviewItems[Kind]; // what review-task.ts yields for it
        ask();
      }
    }
    throw new Error("the thread that read the record ended before its work");
  } catch (error) {
    throw signal.aborted ? stopped() : error;
  } finally {
    await Promise.race([worker.terminate(), setTimeout(endsWithinMs, undefined, { ref: false })]);
  }
}

/** A task that yields once. @throws EndpointError OperationStopped */
export const doInWorker = async <Kind extends ReviewKind>(
  task: ReviewTask<Kind>,
  options: ThreadOptions,
): Promise<ReviewItems[Kind]> => {
  for await (const item of runInWorker(task, options)) return item;
  throw new Error(`the task ${task.kind} ended without a result`);
};
