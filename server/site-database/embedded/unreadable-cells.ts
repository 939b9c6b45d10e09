import type { KeyObject } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { setImmediate as nextTurn } from "node:timers/promises";
import { given } from "../../command/given.ts";
import { isCanonicalGuid } from "../../model/guid.ts";
import { cellKinds } from "./cell-kinds.ts";
import type { CellKind } from "./cell-kinds.ts";
import { fingerprint, openCellByAny } from "./cells.ts";
import type { CellAddress, DataKeys, OpenedCell } from "./cells.ts";
import { decodeBytes, decodeInteger, decodeText } from "./columns.ts";
import type { RawRow } from "./columns.ts";
import { prepareArrays, withLockPatience } from "./connection.ts";
import type { LockPatience } from "./connection.ts";
import { UnreadableCell } from "./failures.ts";
import { isDigest } from "./row-digests.ts";

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

export interface OpenedRow extends OpenedCell {
  readonly address: CellAddress;
}

/** A row of `cellKinds`, opened with the first of these data keys that opens it. @returns undefined where none does */
export const openRow = (
  dataKeys: DataKeys,
  place: Pick<CellAddress, "table" | "column">,
  [id, about, cell]: RawRow,
): OpenedRow | undefined => {
  try {
    const address = { ...place, rowId: decodeInteger(id, "Id"), subject: decodeText(about, "subject") };
    return { address, ...openCellByAny(dataKeys, address, decodeBytes(cell, place.column)) };
  } catch (error) {
    if (error instanceof UnreadableCell) return undefined;
    throw error;
  }
};

/** What opens cells, and what tells whether one that an older data key opens is the one that was imported. */
export interface CellOpener {
  readonly dataKeys: DataKeys;
  readonly fingerprintKey: KeyObject;
}

/**
 * As `openRow`. A certificate may be renewed because others have its key: a cell that they could have written with it is not taken. The
 * newest data key needs no such look.
 */
export const openImported = (
  { dataKeys, fingerprintKey }: CellOpener,
  kind: CellKind,
  row: RawRow,
): OpenedRow | undefined => {
  const opened = openRow(dataKeys, kind.place, row);
  if (opened === undefined || opened.by === 0) return opened;
  const { address, plain } = opened;
  if (isDigest(row[3], fingerprint(fingerprintKey, kind.marked(address.subject), plain).toString("hex"))) return opened;
  plain.fill(0);
  return undefined;
};

/** Encrypted cells by what opens them. */
export interface CellCounts {
  /** With the newest data key. */
  readonly newest: number;
  readonly older: number;
  /** No data key opens them, or they are not those that were imported. */
  readonly closed: number;
  /** Of these, recovery keys. */
  readonly closedKeys: number;
  /** The id of the first closed recovery key. */
  readonly firstClosed?: string;
}

/** Tries every single cell. */
export const countCells = async (
  database: DatabaseSync,
  opener: CellOpener,
  patience: LockPatience,
): Promise<CellCounts> => {
  const counts = { newest: 0, older: 0, closed: 0, closedKeys: 0 };
  let firstClosed: string | undefined;
  for (const kind of Object.values(cellKinds))
    for await (const rows of pagesOfCells(database, kind.page, patience))
      for (const row of rows) {
        if (!(row[2] instanceof Uint8Array)) continue; // plain text
        const opened = openImported(opener, kind, row);
        opened?.plain.fill(0);
        if (opened !== undefined) counts[opened.by === 0 ? "newest" : "older"] += 1;
        else {
          counts.closed += 1;
          if (kind === cellKinds.recoveryKey) {
            counts.closedKeys += 1;
            // Whoever wrote the file may have put anything there.
            if (typeof row[1] === "string" && isCanonicalGuid(row[1])) firstClosed ??= row[1];
          }
        }
      }
  return { ...counts, ...given({ firstClosed }) };
};

/** How many encrypted cells none of these data keys opens; without one, how many there are. */
export const countUnreadableCells = async (
  database: DatabaseSync,
  dataKeys: DataKeys,
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
