import type { DatabaseSync } from "node:sqlite";
import { decodeInteger } from "./columns.ts";
import { prepareArrays } from "./connection.ts";

const portionRows = 4096;

/**
 * Goes over the rows of a table by portions of its integer key: Node keeps whatever went between SQLite and JavaScript until
 * the whole statement is over, 2 GB for a million keys.
 *
 * @param use for the rows with a key above `after`, and not above `upTo`
 */
export const inPortions = (
  database: DatabaseSync,
  table: string,
  key: string,
  use: (after: number, upTo: number) => void,
): void => {
  const end = prepareArrays(
    database,
    `SELECT max(Id) FROM (SELECT ${key} AS Id FROM ${table} WHERE ${key} > ? ORDER BY ${key} LIMIT ${portionRows})`,
  );
  for (let after = Number.MIN_SAFE_INTEGER; ;) {
    const [last] = end(after)[0] ?? [];
    if (last === null || last === undefined) return;
    const upTo = decodeInteger(last, key);
    use(after, upTo);
    after = upTo;
  }
};
