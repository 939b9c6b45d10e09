import { parentPort, workerData } from "node:worker_threads";
import { takeTurn } from "../thread-priority.ts";
import { workOn, type ReviewTask } from "./review-task.ts";

export type FromWorker =
  | { readonly kind: "item"; readonly item: unknown }
  | { readonly kind: "progress"; readonly events: number }
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly message: string };

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- of windows, which a thread is none
const post = (message: FromWorker): void => parentPort?.postMessage(message);

const task = workerData as ReviewTask; // from run-in-worker.ts alone
if (task.kind === "verify" && task.inBackground === true) takeTurn("last");
const work = workOn(task, (events) => post({ kind: "progress", events }));

// One item for each time it is asked: a reader that takes its time holds the work up, and nothing piles up between them.
parentPort?.on("message", () => {
  try {
    const { value, done } = work.next();
    if (done !== true) post({ kind: "item", item: value });
    else {
      post({ kind: "done" });
      parentPort?.close();
    }
  } catch (error) {
    post({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
    parentPort?.close();
  }
});
