import { createPublicKey } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { replaceFile } from "../files/replace-file.ts";
import { takeTurn } from "../thread-priority.ts";
import { makeSummary } from "./make-summary.ts";
import { encodeSummary, summariesIn, summaryName } from "./summary.ts";

export interface SummaryTask {
  /** `audit/`. */
  readonly directory: string;
  /** PEM. */
  readonly publicKey: string;
  readonly now: Date;
}

/** What an event is to say of it; undefined where there is nothing to summarize. */
export type MadeSummary = { readonly through: number; readonly digest: string } | undefined;

const task = workerData as SummaryTask; // from keep-summary.ts alone
takeTurn("last");

const work = async (): Promise<MadeSummary> => {
  const summary = makeSummary(task.directory, createPublicKey(task.publicKey), task.now);
  if (summary === undefined) return undefined;
  const { text, digest } = encodeSummary(summary);
  const folder = summariesIn(task.directory);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  await replaceFile(join(folder, summaryName(summary.through)), text);
  return { through: summary.through, digest };
};

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- of windows, which a thread is none
void work().then((made) => parentPort?.postMessage(made)); // what it throws is an error of the thread
