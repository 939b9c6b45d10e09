import type { KeyObject } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { setImmediate as nextTurn } from "node:timers/promises";
import { openCell } from "./cells.ts";
import { decodeBytes, decodeInteger, decodeText } from "./columns.ts";
import type { RawRow } from "./columns.ts";
import { prepareArrays, withLockPatience } from "./connection.ts";
import type { LockPatience } from "./connection.ts";
import { UnreadableCell } from "./failures.ts";
import { cellColumns } from "./schema.ts";

// Id, subject and cell of every encrypted cell, a page at a time.
const pages = [
  [
    cellColumns.recoveryKey,
    `SELECT Id, RecoveryKeyId, RecoveryKey FROM RecoveryAndHardwareCore_Keys
      WHERE Id > ? AND typeof(RecoveryKey) = 'blob' ORDER BY Id LIMIT ?`,
  ],
  [
    cellColumns.recoveryPackage,
    `SELECT p.Id, k.RecoveryKeyId, p.RecoveryPackage FROM RecoveryAndHardwareCore_Packages p
       LEFT JOIN RecoveryAndHardwareCore_Keys k ON k.Id = p.KeyId
      WHERE p.Id > ? AND typeof(p.RecoveryPackage) = 'blob' ORDER BY p.Id LIMIT ?`,
  ],
  [
    cellColumns.tpmPasswordHash,
    `SELECT t.Id, m.NameFolded, t.TpmPasswordHash FROM RecoveryAndHardwareCore_Tpm t
       LEFT JOIN RecoveryAndHardwareCore_Machines m ON m.Id = t.MachineId
      WHERE t.Id > ? AND typeof(t.TpmPasswordHash) = 'blob' ORDER BY t.Id LIMIT ?`,
  ],
] as const;

/** Some milliseconds of decryption: others run in between. */
const rowsAtATime = 500;

const opens = (
  dataKey: KeyObject,
  place: { readonly table: string; readonly column: string },
  row: RawRow,
): boolean => {
  try {
    const address = { ...place, rowId: decodeInteger(row[0], "Id"), subject: decodeText(row[1], "subject") };
    openCell(dataKey, address, decodeBytes(row[2], place.column)).fill(0);
    return true;
  } catch (error) {
    if (error instanceof UnreadableCell) return false;
    throw error;
  }
};

/** How many encrypted cells this data key does not open; without one, how many there are. Tries every single one. */
export const countUnreadableCells = async (
  database: DatabaseSync,
  dataKey: KeyObject | undefined,
  patience: LockPatience,
): Promise<number> => {
  let unreadable = 0;
  for (const [place, sql] of pages) {
    const page = prepareArrays(database, sql);
    for (let after = Number.MIN_SAFE_INTEGER, rows: readonly RawRow[] = []; ;) {
      const from = after;
      rows = await withLockPatience(patience, () => page(from, rowsAtATime));
      unreadable += rows.filter((row) => dataKey === undefined || !opens(dataKey, place, row)).length;
      const last = rows.at(-1);
      if (last === undefined || rows.length < rowsAtATime) break;
      after = decodeInteger(last[0], "Id");
      await nextTurn();
    }
  }
  return unreadable;
};
