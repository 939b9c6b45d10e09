import { parentPort, workerData } from "node:worker_threads";
import type { FailureCategory } from "../../errors.ts";
import { examineSet } from "./examine-set.ts";
import type { SetExamination, SetExamined } from "./examine-set.ts";
import { asEndpointError, UnreadableCell } from "./failures.ts";
import { goBehindOthers } from "./go-behind-others.ts";

export type FromExamineWorker =
  | { readonly kind: "examined"; readonly examined: SetExamined }
  | { readonly kind: "damaged"; readonly detail: string }
  | { readonly kind: "failed"; readonly category: FailureCategory; readonly message: string; readonly cause: unknown };

const examine = async (task: SetExamination): Promise<FromExamineWorker> => {
  try {
    // Never aborted: stopping ends the thread.
    return { kind: "examined", examined: await examineSet(task, new AbortController().signal) };
  } catch (error) {
    if (error instanceof UnreadableCell) return { kind: "damaged", detail: error.message };
    const { category, message, cause } = asEndpointError(error);
    return { kind: "failed", category, message, cause };
  }
};

if (parentPort !== null) {
  goBehindOthers();
  const found = await examine(workerData as SetExamination); // from examine-aside.ts alone
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- of windows, which a thread is none
  parentPort.postMessage(found);
  parentPort.close();
}
