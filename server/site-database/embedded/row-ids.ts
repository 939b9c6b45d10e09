import type { DatabaseSync } from "node:sqlite";
import { decodeInteger } from "./columns.ts";
import { prepareArrays } from "./connection.ts";

const blockSize = 4096;

/** Row ids for rows that will be written later: a cell is encrypted for its row id, so the id must be known before. */
export interface RowIds {
  /** Makes sure that `count` ids are at hand. Writes to the database, so not inside a transaction that must not lock it. */
  reserve(count: number): void;
  next(): number;
}

/** Ids are reserved by whole blocks; those of a block that is given up stay unused, which costs nothing. */
export const createRowIds = (database: DatabaseSync): RowIds => {
  const reserveBlocks = prepareArrays(
    database,
    "UPDATE site_settings SET next_row_id = next_row_id + ? WHERE id = 1 RETURNING next_row_id",
  );
  let next = 0;
  let end = 0;
  return {
    reserve: (count) => {
      if (end - next >= count) return;
      const size = Math.ceil(count / blockSize) * blockSize;
      end = decodeInteger(reserveBlocks(size)[0]?.[0], "next_row_id");
      next = end - size;
    },
    next: () => {
      if (next === end) throw new Error("no row id was reserved");
      const id = next;
      next += 1;
      return id;
    },
  };
};
