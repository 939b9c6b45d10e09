import type { KeyObject } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { setImmediate as nextTurn } from "node:timers/promises";
import { cellKinds } from "./cell-kinds.ts";
import { openCell } from "./cells.ts";
import type { CellAddress } from "./cells.ts";
import { decodeBytes, decodeInteger, decodeText } from "./columns.ts";
import type { RawRow } from "./columns.ts";
import { prepareArrays, withLockPatience } from "./connection.ts";
import type { LockPatience } from "./connection.ts";
import { UnreadableCell } from "./failures.ts";

/** Some milliseconds of decryption: others run in between. */
const rowsAtATime = 500;

/** All rows of one of `cellKinds`, a page at a time. */
export async function* pagesOfCells(
  database: DatabaseSync,
  page: string,
  patience: LockPatience,
): AsyncGenerator<readonly RawRow[], void, void> {
  const rowsBehind = prepareArrays(database, page);
  for (let after = Number.MIN_SAFE_INTEGER; ;) {
    const from = after;
    const rows = await withLockPatience(patience, () => rowsBehind(from, rowsAtATime));
    const last = rows.at(-1);
    if (last === undefined) return;
    yield rows;
    after = decodeInteger(last[0], "Id");
    await nextTurn();
  }
}

/** A row of `cellKinds`, opened with the first of these data keys that opens it. @returns undefined where none does */
export const openRow = (
  dataKeys: readonly KeyObject[],
  place: Pick<CellAddress, "table" | "column">,
  [id, about, cell]: RawRow,
): { readonly address: CellAddress; readonly plain: Buffer } | undefined => {
  for (const dataKey of dataKeys) {
    try {
      const address = { ...place, rowId: decodeInteger(id, "Id"), subject: decodeText(about, "subject") };
      return { address, plain: openCell(dataKey, address, decodeBytes(cell, place.column)) };
    } catch (error) {
      if (!(error instanceof UnreadableCell)) throw error;
    }
  }
  return undefined;
};

/** How many encrypted cells none of these data keys opens; without one, how many there are. Tries every single one. */
export const countUnreadableCells = async (
  database: DatabaseSync,
  dataKeys: readonly KeyObject[],
  patience: LockPatience,
): Promise<number> => {
  let unreadable = 0;
  for (const { place, page } of Object.values(cellKinds))
    for await (const rows of pagesOfCells(database, page, patience))
      for (const row of rows) {
        if (!(row[2] instanceof Uint8Array)) continue; // plain text
        const opened = openRow(dataKeys, place, row);
        opened?.plain.fill(0);
        if (opened === undefined) unreadable += 1;
      }
  return unreadable;
};
