import type { DatabaseSync } from "node:sqlite";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { ListedKey, RecoveryKeyQuery, SiteDatabase } from "../../command/site-database.ts";
import { foldComputerName } from "../../model/computer-name.ts";
import { decodeText } from "./columns.ts";
import { prepareArrays } from "./connection.ts";
import type { KeyLookUp } from "./key-look-up.ts";
import { pageRows } from "./key-pages.ts";
import { decodeListedKey } from "./key-rows.ts";

/** Index entries looked at in one go, some milliseconds: SQLite runs on our event loop. */
const searchedRows = 4096;

/**
 * A part of a text has no place in an order, so every entry of an index is looked at, a page after the other. Rejected: a table of trigrams,
 * which every import would have to fill and every digest to cover, for a question that somebody asks a few times a day.
 */
const queriesOf = (table: string, column: string) =>
  ({
    end: `SELECT max(text) FROM (SELECT ${column} AS text FROM ${table} WHERE ${column} > ? ORDER BY ${column} LIMIT ${searchedRows})`,
    within: `SELECT ${column} FROM ${table} WHERE ${column} > ? AND ${column} <= ? AND instr(${column}, ?) > 0 ORDER BY ${column}`,
  }) as const;

const names = queriesOf("RecoveryAndHardwareCore_Machines", "NameFolded");
const ids = queriesOf("RecoveryAndHardwareCore_Keys", "RecoveryKeyId");

/** Exported for the test that each goes along an index. */
export const searchQueries = { names, ids } as const;

/** The texts of one page that have the piece, and where the page ends; `undefined` behind the last one. */
type SearchPage = (after: string) => { readonly found: readonly string[]; readonly end: string } | undefined;

const prepareSearch = (
  database: DatabaseSync,
  queries: ReturnType<typeof queriesOf>,
): ((piece: string) => SearchPage) => {
  const endOf = prepareArrays(database, queries.end);
  const within = prepareArrays(database, queries.within);
  return (piece) => (after) => {
    const [last] = endOf(after)[0] ?? [];
    if (last === null || last === undefined) return undefined;
    const end = decodeText(last, "index");
    return { found: within(after, end, piece).map(([text]) => decodeText(text, "index")), end };
  };
};

export const createKeySearch = (
  database: DatabaseSync,
  { pages, judgeFor, look, ready }: KeyLookUp,
): SiteDatabase["searchKeys"] => {
  const byName = prepareSearch(database, names);
  const byId = prepareSearch(database, ids);

  async function* found(page: SearchPage, signal: AbortSignal): AsyncGenerator<readonly string[]> {
    for (let after = ""; ; await nextTurn()) {
      const from = after;
      const looked = await look(signal, () => page(from));
      if (looked === undefined) return;
      if (looked.found.length > 0) yield looked.found;
      after = looked.end;
    }
  }

  /** A walk without cells: nothing is decrypted. */
  async function* list(query: RecoveryKeyQuery, signal: AbortSignal): AsyncGenerator<readonly ListedKey[]> {
    const judge = judgeFor({ ...query, withState: true });
    const { next } = pages.start(query, false);
    for (;;) {
      const rows = await look(signal, () => next(pageRows));
      if (rows.length === 0) return;
      yield await look(signal, () => rows.filter(judge.matches).map((row) => decodeListedKey(row, judge)));
      await nextTurn();
    }
  }

  return async function* search({ name, keyId }, signal) {
    await ready(signal);
    const piece = name === undefined ? undefined : foldComputerName(name);
    if (piece !== undefined)
      for await (const computerNames of found(byName(piece), signal)) yield* list({ computerNames }, signal);
    if (keyId === undefined) return;
    for await (const passwordIds of found(byId(keyId), signal))
      for await (const keys of list({ passwordIds }, signal))
        // Those of a computer with that name came already.
        yield keys.filter((key) => piece === undefined || !foldComputerName(key.computerName).includes(piece));
  };
};
