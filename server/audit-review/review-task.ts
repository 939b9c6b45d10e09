import { streamSessions } from "./stream-sessions.ts";
import type { SessionQuery } from "./review-port.ts";
import { recordPaths } from "./record-paths.ts";
import { verifyRecord } from "./verify-record.ts";

/** Work over a whole record, which takes seconds and more: done in a thread of its own (review-worker.ts). */
export type ReviewTask =
  | {
      readonly kind: "sessions";
      readonly dataDirectory: string;
      readonly query: SessionQuery;
      readonly throughSeq: number;
    }
  | { readonly kind: "verify"; readonly dataDirectory: string; readonly sinceCheckpoint: string | undefined };

/** Yields what the asker of that kind of task expects: batches of sessions, or one verification. */
export const workOn = function* (task: ReviewTask, onProgress: (events: number) => void): Generator {
  switch (task.kind) {
    case "sessions":
      yield* streamSessions(recordPaths(task.dataDirectory).log, task.query, task.throughSeq, onProgress);
      return;
    case "verify":
      yield verifyRecord({
        dataDirectory: task.dataDirectory,
        publicKey: undefined,
        sinceCheckpoint: task.sinceCheckpoint,
        onProgress,
      });
  }
};
