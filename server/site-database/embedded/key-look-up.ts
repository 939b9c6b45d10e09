import type { DatabaseSync } from "node:sqlite";
import type { RecoveryKeyQuery } from "../../command/site-database.ts";
import { withLockPatience } from "./connection.ts";
import { prepareKeyPages } from "./key-pages.ts";
import type { KeyPages } from "./key-pages.ts";
import { prepareRowJudge } from "./key-rows.ts";
import type { RowJudge } from "./key-rows.ts";
import type { RowDigests } from "./row-digests.ts";
import type { SetGuard } from "./set-guard.ts";

interface LookUpParts {
  readonly database: DatabaseSync;
  readonly digests: RowDigests;
  readonly guard: Pick<SetGuard, "ready" | "check">;
  readonly lockWaitMs: number;
}

/** What every question about keys is answered with, made once for an open database: statements take memory and time to prepare. */
export interface KeyLookUp {
  readonly pages: KeyPages;
  readonly judgeFor: (query: RecoveryKeyQuery) => RowJudge;
  /** Before an answer: every row has been looked at. */
  readonly ready: (signal: AbortSignal) => Promise<void>;
  /**
   * Work on the database, tried again while another process holds the lock. The guard checks before each page, an empty one too: that
   * nothing is there may be what was done to the file.
   */
  readonly look: <Result>(signal: AbortSignal, work: () => Result) => Promise<Result>;
}

export const prepareKeyLookUp = ({ database, digests, guard, lockWaitMs }: LookUpParts): KeyLookUp => ({
  pages: prepareKeyPages(database),
  judgeFor: prepareRowJudge(database, digests),
  ready: (signal) => guard.ready(signal),
  look: (signal, work) =>
    withLockPatience({ signal, lockWaitMs }, () => {
      guard.check();
      return work();
    }),
});
