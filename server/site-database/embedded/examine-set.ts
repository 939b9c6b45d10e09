import type { KeyObject } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { decodeText } from "./columns.ts";
import { fileIdentity, openExistingConnection, prepareArrays, withLockPatience } from "./connection.ts";
import type { LockPatience } from "./connection.ts";
import { unavailable, UnreadableCell } from "./failures.ts";
import { createRowDigests } from "./row-digests.ts";
import { prepareSealed } from "./row-set.ts";
import { walkRowsInTurns } from "./walk-rows.ts";
import type { RowsWalked } from "./walk-rows.ts";

/** What looking at every row needs. It opens nothing and seals nothing. */
export interface SetExamination {
  readonly file: string;
  /** Of the file that is meant, where another may have been put in its place. */
  readonly identity?: string;
  readonly rowDigestKey: KeyObject;
  readonly elementKey: KeyObject;
  readonly lockWaitMs: number;
}

/** Every row, and what sealed them at that moment. */
export interface SetExamined {
  readonly walked: RowsWalked;
  readonly sealed: unknown;
}

/**
 * Rows that a walk over the tables finds may be missing from an answer all the same: where an index does not lead to them, or where a view
 * or a trigger, of which this database has none, stands in between.
 *
 * @throws UnreadableCell
 */
export const checkStructure = (database: DatabaseSync): void => {
  const [foreign] = prepareArrays(
    database,
    "SELECT name FROM sqlite_schema WHERE type IN ('view', 'trigger') LIMIT 1",
  )();
  if (foreign !== undefined) throw new UnreadableCell(`${decodeText(foreign[0], "name")} is no part of this database`);
  const [found] = prepareArrays(database, "PRAGMA integrity_check(1)")();
  if (found?.[0] !== "ok") throw new UnreadableCell(`the file is damaged: ${String(found?.[0])}`);
};

/**
 * Looks at every row, over a connection of its own and in one transaction, so that it sees one state, whatever is imported meanwhile.
 *
 * @throws EndpointError, UnreadableCell when it is no such database any more
 */
export const examineSet = async (
  { file, identity, rowDigestKey, elementKey, lockWaitMs }: SetExamination,
  signal: AbortSignal,
): Promise<SetExamined> => {
  if (identity !== undefined && (await fileIdentity(file)) !== identity)
    throw unavailable("The site database is not available.", "another file was put in the place of the open one");
  const patience: LockPatience = { signal, lockWaitMs };
  const database = await openExistingConnection(file, patience, true);
  try {
    const sealed = await withLockPatience(patience, () => {
      if (!database.isTransaction) database.exec("BEGIN");
      return prepareSealed(database)();
    });
    checkStructure(database);
    const walk = { database, digests: createRowDigests(rowDigestKey), elementKey };
    return { walked: await walkRowsInTurns(walk, signal), sealed };
  } finally {
    database.close();
  }
};
