import type { DatabaseSync } from "node:sqlite";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { SiteDatabase } from "../../command/site-database.ts";
import { decodeInteger } from "./columns.ts";
import { writeTransaction } from "./connection.ts";
import { unavailable } from "./failures.ts";
import type { KeyLookUp } from "./key-look-up.ts";
import { at } from "./key-pages.ts";
import type { RowJudge } from "./key-rows.ts";
import { writerName } from "./principals.ts";
import type { CertificateAccess } from "./principals.ts";

/** Keys marked in one transaction: one durable write for all of them, and about a millisecond of the event loop. */
const markedAtOnce = 64;

/**
 * Marks keys by id. Their rows are looked up and checked, so that a changed table can't turn the mark to another key. Their passwords
 * stay closed: whoever read them has opened them.
 */
export const createMarker = (
  database: DatabaseSync,
  access: CertificateAccess,
  { pages, judgeFor, look, ready }: KeyLookUp,
): SiteDatabase["markDisclosed"] => {
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
    await ready(signal);
    for (let from = 0; from < distinct.length; from += markedAtOnce) {
      await look(signal, () => markAll(distinct.slice(from, from + markedAtOnce), reason));
      await nextTurn();
    }
  };
};
