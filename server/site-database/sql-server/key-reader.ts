import { EndpointError } from "../../errors.ts";
import type { KeySearch, RecoveryKeyQuery, SiteDatabase } from "../../command/site-database.ts";
import { decodeNumber, decodeText } from "./columns.ts";
import { ConnectionLost, ReaderStalled, throwIfStopped } from "./errors.ts";
import { shapeForReading } from "./introspection.ts";
import type { Site } from "./introspection.ts";
import { decodeFacts, decodeKey, filtersOf, isSameKey, positionOf } from "./read-keys.ts";
import type { Row } from "./read-keys.ts";
import type { SiteConnections } from "./site-connections.ts";
import { countKeys, findComputers, pageOfKeys, searchKeys } from "./statements.ts";
import type { KeyPage, KeyPosition } from "./statements.ts";

/** Rows of a page: one statement's work. Large, because a page is streamed, not held. */
const pageRows = 20_000;
/** Of a search: whoever searches sees ten of them. */
const searchedRows = 200;
export type KeyReader = Pick<SiteDatabase, "findComputers" | "searchKeys" | "countRecoveryKeys" | "readRecoveryKeys">;

interface ReaderParts {
  /** Read-intent where that is configured. */
  readonly searches: SiteConnections;
  readonly pageRows?: number;
}

/** Cuts a run of rows before its last key, whose other rows may still come. */
const lastKeyStart = (rows: readonly Row[]): number => {
  const last = rows.at(-1);
  if (last === undefined) return 0;
  const other = rows.findLastIndex((row) => !isSameKey(row, last));
  return other + 1;
};

interface Batch {
  readonly rows: readonly Row[];
  readonly site: Site;
}

/** One page, streamed. Ends early, after whole keys, when the reader stalled: the walk then goes on with another page. */
async function* streamPage(
  connections: SiteConnections,
  wanted: KeyPage,
  signal: AbortSignal,
): AsyncGenerator<Batch, "stalled" | "more" | "end", void> {
  const { result, site } = await connections.stream(signal, (found) => pageOfKeys(shapeForReading(found), wanted));
  let held: readonly Row[] = [];
  let count = 0;
  try {
    for (let batch = await result.next(); batch !== undefined; batch = await result.next()) {
      const rows = [...held, ...batch.rows];
      count += batch.rows.length;
      const cut = lastKeyStart(rows);
      held = rows.slice(cut);
      if (cut > 0) yield { rows: rows.slice(0, cut), site };
    }
  } catch (error) {
    if (error instanceof ReaderStalled) return "stalled";
    throw error;
  } finally {
    result.cancel(); // Does nothing to a result that was read to its end.
  }
  if (held.length > 0) yield { rows: held, site };
  return count < wanted.pageRows ? "end" : "more";
}

/** Small pages, read whole: no connection waits while somebody looks at them. */
async function* searchIn(searches: SiteConnections, search: KeySearch, signal: AbortSignal) {
  if (search.keyId !== undefined && !/^[0-9A-F-]{1,36}$/.test(search.keyId))
    throw new EndpointError("InvalidArgument", "A part of a key id has digits, A to F and hyphens only.");
  for (let after: KeyPosition | undefined; ;) {
    throwIfStopped(signal);
    const page: Pick<KeyPage, "after" | "pageRows"> = { after, pageRows: searchedRows };
    const { rows, site }: Batch = await searches.read(signal, async ({ connection }, found) => {
      return { rows: await connection.rows(searchKeys(shapeForReading(found), search, page), { signal }), site: found };
    });
    yield rows.map((row) => decodeFacts(row, site));
    const last = rows.at(-1);
    if (last === undefined || rows.length < searchedRows) return;
    after = positionOf(last);
  }
}

export const createKeyReader = ({ searches, pageRows: limit = pageRows }: ReaderParts): KeyReader => {
  const knownSite = (signal: AbortSignal): Promise<Site> => searches.read(signal, async (_, site) => site);

  async function* readOnce(query: RecoveryKeyQuery, signal: AbortSignal): AsyncGenerator<Batch, void, void> {
    for (const filter of filtersOf(query, await knownSite(signal))) {
      let after: KeyPosition | undefined;
      for (let state = "more"; state !== "end";) {
        throwIfStopped(signal);
        const page = streamPage(searches, { filter, after, pageRows: limit }, signal);
        try {
          let step = await page.next();
          for (; step.done !== true; step = await page.next()) {
            const last = step.value.rows.at(-1);
            if (last !== undefined) after = positionOf(last);
            yield step.value;
          }
          state = step.value;
        } finally {
          await page.return("end");
        }
      }
    }
  }

  /** Tried again, once, when the connection was lost before the first row. After that, half an answer is an error. */
  async function* read(query: RecoveryKeyQuery, signal: AbortSignal) {
    for (let attempt = 1; ; attempt += 1) {
      let begun = false;
      try {
        for await (const { rows, site } of readOnce(query, signal)) {
          throwIfStopped(signal);
          const keys = rows.map((row) => decodeKey(row, site));
          begun = true;
          yield keys;
        }
        return;
      } catch (error) {
        if (begun || attempt > 1 || !(error instanceof ConnectionLost)) throw error;
      }
    }
  }

  return {
    searchKeys: (search, signal) => searchIn(searches, search, signal),
    findComputers: (name, signal) =>
      searches.read(signal, async ({ connection }) => {
        const rows = await connection.rows(findComputers(name), { signal });
        const names = (isSame: boolean): readonly string[] =>
          rows.filter((row) => (row[1] === true) === isSame).map(([found]) => decodeText(found, "Machines.Name"));
        return { same: names(true), other: names(false) };
      }),
    readRecoveryKeys: read,
    countRecoveryKeys: async (query, signal) => {
      let total = 0;
      for (const filter of filtersOf(query, await knownSite(signal))) {
        total += await searches.read(signal, async ({ connection }, site) => {
          const [count] = await connection.firstRow(countKeys(shapeForReading(site), filter), { signal });
          return decodeNumber(count, "KeyCount");
        });
      }
      return total;
    },
  };
};
