import type { DatabaseSync } from "node:sqlite";
import { setImmediate as nextTurn } from "node:timers/promises";
import { EndpointError } from "../../errors.ts";
import type { SiteDatabase } from "../../command/site-database.ts";
import { decodeInteger } from "./columns.ts";
import { withLockPatience, writeTransaction } from "./connection.ts";
import { unavailable } from "./failures.ts";
import { at, prepareKeyPages, wholeKeyId } from "./key-pages.ts";
import { prepareRowJudge } from "./key-rows.ts";
import type { RowJudge } from "./key-rows.ts";
import { writerName } from "./principals.ts";
import type { CertificateAccess } from "./principals.ts";
import type { RowDigests } from "./row-digests.ts";
import type { SetGuard } from "./set-guard.ts";

/** Keys marked in one transaction: one durable write for all of them, and about a millisecond of the event loop. */
const markedAtOnce = 64;

interface MarkerParts {
  readonly database: DatabaseSync;
  readonly access: CertificateAccess;
  readonly digests: RowDigests;
  readonly guard: Pick<SetGuard, "ready" | "check">;
  readonly lockWaitMs: number;
}

/**
 * Marks keys by id. Their rows are looked up and checked, so that a changed table can't turn the mark to another key. Their passwords
 * stay closed: whoever read them has opened them.
 */
export const createMarker = ({
  database,
  access,
  digests,
  guard,
  lockWaitMs,
}: MarkerParts): SiteDatabase["markDisclosed"] => {
  const pages = prepareKeyPages(database);
  const judgeFor = prepareRowJudge(database, digests);
  const setDisclosed = database.prepare("UPDATE RecoveryAndHardwareCore_Keys SET Disclosed = 1 WHERE Id = ?");
  const addDisclosure = database.prepare(
    "INSERT INTO RecoveryAndHardwareCore_Disclosures (KeyId, Reason, DisclosedAt) VALUES (?, ?, ?)",
  );

  const rowIdOf = (passwordId: string, judge: RowJudge): number => {
    const rows = pages.rowsOfKey(passwordId);
    const [row] = rows;
    if (row === undefined || !rows.every(judge.matches))
      throw unavailable("A recovery key is not there any longer, so it is not shown.", `no password ${passwordId}`);
    return decodeInteger(row[at.keyId], "Keys.Id");
  };

  const markAll = (passwordIds: readonly string[], reason: string): void => {
    guard.check();
    // As Write, before the transaction: without the right to write there is no mark, and without a mark no key.
    access.dataKeyFor(writerName);
    const judge = judgeFor({});
    const now = Date.now();
    writeTransaction(database, () => {
      for (const passwordId of passwordIds) {
        const rowId = rowIdOf(passwordId, judge);
        setDisclosed.run(rowId);
        addDisclosure.run(rowId, reason, now);
      }
    });
  };

  return async (passwordIds, reason, signal) => {
    const distinct = [...new Set(passwordIds)];
    if (distinct.some((id) => id.length !== wholeKeyId))
      throw new EndpointError("InvalidArgument", "Keys are marked by their whole ids.");
    await guard.ready(signal);
    for (let from = 0; from < distinct.length; from += markedAtOnce) {
      await withLockPatience({ signal, lockWaitMs }, () => markAll(distinct.slice(from, from + markedAtOnce), reason));
      await nextTurn();
    }
  };
};
