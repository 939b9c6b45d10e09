import { createPublicKey } from "node:crypto";
import { once } from "node:events";
import { parentPort, workerData } from "node:worker_threads";
import { takeTurn } from "../thread-priority.ts";
import { makeSummary } from "./make-summary.ts";
import { encodeSummary, writeSummary } from "./summary.ts";

export interface SummaryTask {
  /** `audit/`. */
  readonly directory: string;
  /** PEM. */
  readonly publicKey: string;
  readonly now: Date;
}

/** What an event is to say of it. */
export interface MadeSummary {
  readonly through: number;
  readonly digest: string;
}

/** First what was made, for the signature, which is the answer; then that it is written. `nothing`: there is nothing to summarize. */
export type FromSummaryWorker =
  | { readonly kind: "made"; readonly made: MadeSummary }
  | { readonly kind: "written" | "nothing" };

const task = workerData as SummaryTask; // from keep-summary.ts alone
takeTurn("last");

const work = async (port: NonNullable<typeof parentPort>): Promise<void> => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- of windows, which a thread is none
  const say = (message: FromSummaryWorker): void => port.postMessage(message);
  const summary = makeSummary(task.directory, createPublicKey(task.publicKey), task.now);
  if (summary === undefined) {
    say({ kind: "nothing" });
    return;
  }
  const { through } = summary;
  const { text, digest } = encodeSummary(summary);
  const answered = once(port, "message");
  say({ kind: "made", made: { through, digest } });
  const [signature] = await answered;
  await writeSummary(task.directory, through, `${String(signature)}\n${text}`);
  say({ kind: "written" });
};

if (parentPort !== null) {
  const port = parentPort;
  void work(port).finally(() => port.close()); // what it throws is an error of the thread
}
