import { createPublicKey } from "node:crypto";
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { decodeCheckpoint } from "../audit/checkpoint.ts";
import { readTextOfRecord } from "../audit/open-of-record.ts";
import { planPrune, type PrunePlan } from "../audit/plan-prune.ts";
import { castLines, castLinesV2 } from "./cast-v2.ts";
import { textOf, type ReadLine } from "./decode-line.ts";
import { readEvents } from "./read-events.ts";
import { makeReceipts, type Receipt } from "./receipts.ts";
import { recordPaths } from "./record-paths.ts";
import { makeReport, type ReportStep, type ReportWork } from "./report/make-report.ts";
import type { ReviewedSession, SessionQuery } from "../command/review-port.ts";
import { streamSessions } from "./stream-sessions.ts";
import { verifyRecord, type Verification } from "./verify-record.ts";

/** What one who verifies has from elsewhere, as it can be handed to a thread. */
export interface GivenTrust {
  /** PEM. */
  readonly publicKey: string | undefined;
  /** A signed note. */
  readonly sinceCheckpoint: string | undefined;
}

interface OfRecord {
  /** A data directory, or a copy of one. */
  readonly dataDirectory: string;
}

/** Work over a whole record, which takes seconds and more: done in a thread of its own (review-worker.ts). */
interface ReviewTasks {
  /** Batches, as `Get-Session` and `pep audit list` show them. */
  readonly sessions: OfRecord & { readonly query: SessionQuery; readonly throughSeq?: number };
  /** Once. */
  readonly verify: OfRecord & GivenTrust & { readonly inBackground?: boolean };
  /** Once: the events of a session. */
  readonly events: OfRecord & { readonly sessionId: string };
  /** Pieces of a transcript. */
  readonly cast: OfRecord & { readonly fileName: string; readonly v2: boolean };
  /** One after the other. */
  readonly receipts: OfRecord & { readonly query: SessionQuery };
  readonly report: OfRecord & GivenTrust & ReportWork;
  /** Once. What is wrong with a record can be found only while its lines are there. */
  readonly "prune-plan": OfRecord & {
    readonly beforeMs: number;
    /** Up to which event the syslog receiver has the log, where there is one. */
    readonly forwarded: number | undefined;
  };
}

/** What each task yields. */
export interface ReviewItems {
  readonly sessions: readonly ReviewedSession[];
  readonly verify: Verification;
  readonly events: readonly ReadLine[];
  readonly cast: string;
  readonly receipts: Receipt;
  readonly report: ReportStep;
  readonly "prune-plan": {
    readonly problems: readonly string[];
    readonly plan: PrunePlan;
    /** Up to which event would go if the receiver were not waited for. */
    readonly throughSeqWithoutReceiver: number;
  };
}

export type ReviewKind = keyof ReviewTasks;

export type ReviewTask<Kind extends ReviewKind = ReviewKind> = {
  [Each in Kind]: ReviewTasks[Each] & { readonly kind: Each };
}[Kind];

const trustOf = ({ publicKey, sinceCheckpoint }: GivenTrust) => ({
  publicKey: publicKey === undefined ? undefined : createPublicKey(publicKey),
  sinceCheckpoint,
});

const planPruneOf = ({ dataDirectory, beforeMs, forwarded }: ReviewTasks["prune-plan"]): ReviewItems["prune-plan"] => {
  const { problems, prunedBefore } = verifyRecord({ dataDirectory, publicKey: undefined, sinceCheckpoint: undefined });
  const { log, checkpoint } = recordPaths(dataDirectory);
  const signed = existsSync(checkpoint) ? decodeCheckpoint(readTextOfRecord(checkpoint)).size : 0;
  // Where the record is sent to a SIEM, the log is what waits for it: what has not arrived stays.
  const plan = planPrune(log, beforeMs, Math.min(signed, forwarded ?? signed), prunedBefore);
  const without = forwarded === undefined ? plan : planPrune(log, beforeMs, signed, prunedBefore);
  return { problems, plan, throughSeqWithoutReceiver: without.throughSeq };
};

const eventsOf = ({ dataDirectory, sessionId }: ReviewTasks["events"]): ReadLine[] => {
  const events: ReadLine[] = [];
  for (const line of readEvents(recordPaths(dataDirectory).log)) {
    if (textOf(line.event, "sessionId") === sessionId && line.event.type !== "review") events.push(line);
  }
  return events;
};

const sessionsOf = function* (
  { dataDirectory, query, throughSeq = Number.POSITIVE_INFINITY }: ReviewTasks["sessions"],
  onProgress: (events: number) => void,
): Generator<readonly ReviewedSession[]> {
  const { log } = recordPaths(dataDirectory);
  for (const batch of streamSessions(log, query, throughSeq, onProgress)) yield batch.map((view) => view.reviewed());
};

const receiptsOf = function* ({ dataDirectory, query }: ReviewTasks["receipts"]): Generator<Receipt> {
  const { log, checkpoint } = recordPaths(dataDirectory);
  const signed = readTextOfRecord(checkpoint);
  const sessions = new Set<string>();
  for (const batch of streamSessions(log, query, Number.POSITIVE_INFINITY, () => undefined)) {
    for (const { sessionId } of batch) sessions.add(sessionId);
  }
  yield* makeReceipts(log, signed, ({ event }) => sessions.has(textOf(event, "sessionId")));
};

/** Yields what `ReviewItems` says of the task's kind. */
export const workOn = function* (
  task: ReviewTask,
  onProgress: (events: number) => void,
): Generator<ReviewItems[ReviewKind]> {
  const paths = recordPaths(task.dataDirectory);
  switch (task.kind) {
    case "sessions":
      yield* sessionsOf(task, onProgress);
      return;
    case "verify":
      yield verifyRecord({ dataDirectory: task.dataDirectory, ...trustOf(task), onProgress });
      return;
    case "events":
      yield eventsOf(task);
      return;
    case "cast": {
      const path = join(paths.transcripts, basename(task.fileName));
      yield* task.v2 ? castLinesV2(path) : castLines(path);
      return;
    }
    case "receipts":
      yield* receiptsOf(task);
      return;
    case "report":
      yield* makeReport(paths, task, () => verifyRecord({ dataDirectory: task.dataDirectory, ...trustOf(task) }));
      return;
    case "prune-plan":
      yield planPruneOf(task);
  }
};
