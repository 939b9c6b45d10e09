import { stat } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import type { SQLInputValue } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { EndpointError } from "../../errors.ts";
import type { RawRow } from "./columns.ts";
import { asEndpointError, isLockFailure, throwIfStopped, unavailable, UnreadableCell } from "./failures.ts";
import { applicationId, knownVersions, schemaVersion } from "./schema.ts";

/** How long to try again while another process holds the lock. */
export interface LockPatience {
  readonly signal: AbortSignal;
  readonly lockWaitMs: number;
}

const firstPauseMs = 2;
const longestPauseMs = 50;

/**
 * Runs one synchronous piece of database work, again and again while another process holds the lock.
 * SQLite's own busy timeout would wait inside the call and stop the event loop, so it is 0 and the waiting is done here.
 */
export const withLockPatience = async <Result>(patience: LockPatience, work: () => Result): Promise<Result> => {
  const giveUpAt = performance.now() + patience.lockWaitMs;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    throwIfStopped(patience.signal);
    try {
      return work();
    } catch (error) {
      if (!isLockFailure(error)) throw asEndpointError(error);
      if (performance.now() >= giveUpAt)
        throw new EndpointError("ResourceUnavailable", "The site database is busy. Try again in a moment.", {
          cause: error,
        });
    }
    // An abort ends the pause early; the check at the top of the loop then says so in the endpoint's own words.
    await delay(pauseMs, undefined, { signal: patience.signal }).catch(() => undefined);
  }
};

/** Runs `work` in one write transaction: all of it or nothing. */
export const writeTransaction = <Result>(database: DatabaseSync, work: () => Result): Result => {
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
};

/** The same around work that waits: for the record, say. */
export const longTransaction = async <Result>(
  database: DatabaseSync,
  patience: LockPatience,
  work: () => Promise<Result>,
): Promise<Result> => {
  await withLockPatience(patience, () => database.exec("BEGIN IMMEDIATE"));
  try {
    const result = await work();
    database.exec("COMMIT");
    return result;
  } finally {
    if (database.isTransaction) database.exec("ROLLBACK");
  }
};

/** A prepared query that gives array rows. */
export type ArrayQuery = (...parameters: readonly SQLInputValue[]) => readonly RawRow[];

const isTooLarge = (error: unknown): boolean =>
  error instanceof RangeError && "code" in error && error.code === "ERR_OUT_OF_RANGE";

/** @throws UnreadableCell from the query, at a number that JavaScript can't hold */
export const prepareArrays = (database: DatabaseSync, sql: string): ArrayQuery => {
  const statement = database.prepare(sql);
  statement.setReturnArrays(true);
  return (...parameters) => {
    try {
      // @types/node describes rows as objects only; after setReturnArrays(true) they are arrays of the same values.
      return statement.all(...parameters) as unknown as readonly RawRow[];
    } catch (error) {
      throw isTooLarge(error)
        ? new UnreadableCell("a stored number is larger than any of this product's", { cause: error })
        : error;
    }
  };
};

const connect = (file: string, readOnly: boolean): DatabaseSync =>
  new DatabaseSync(file, {
    readOnly,
    timeout: 0,
    allowExtension: false,
    defensive: true,
    enableForeignKeyConstraints: true,
  });

/**
 * Opens a connection with the settings every connection here needs.
 * FULL, not NORMAL: in WAL mode NORMAL loses the last commits on a power cut, and a key marked as disclosed must stay so.
 */
export const openNewConnection = (file: string, readOnly = false): DatabaseSync => {
  const database = connect(file, readOnly);
  try {
    database.exec(
      "PRAGMA trusted_schema = OFF; PRAGMA synchronous = FULL; PRAGMA cell_size_check = ON; PRAGMA cache_size = -16000",
    );
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
};

const pragma = (database: DatabaseSync, name: string): unknown => prepareArrays(database, `PRAGMA ${name}`)()[0]?.[0];

/** The version of the tables in an open file. */
export const versionOf = (database: DatabaseSync): unknown => pragma(database, "user_version");

const checkIsSiteDatabase = (database: DatabaseSync): void => {
  if (pragma(database, "application_id") !== applicationId)
    throw unavailable("The site database file is not a site database.", "application_id differs");
  const version = versionOf(database);
  if (!knownVersions.includes(version))
    throw unavailable(
      "The site database was made by another version of this product, or was not made completely.",
      `user_version is ${String(version)}, wanted ${schemaVersion}`,
    );
};

/** Opens an existing site database. SQLite would make a missing file, so that is looked at first. */
export const openExistingConnection = async (
  file: string,
  patience: LockPatience,
  readOnly = false,
): Promise<DatabaseSync> => {
  const found = await stat(file).catch((error: unknown) => {
    throw new EndpointError("ResourceUnavailable", "There is no site database. Make one with `pep init`.", {
      cause: error,
    });
  });
  if (!found.isFile()) throw unavailable("The site database is not a regular file.", file);
  return withLockPatience(patience, () => {
    const database = openNewConnection(file, readOnly);
    try {
      checkIsSiteDatabase(database);
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  });
};

/** Which file this is, however it is called: a second connection must not open one that was put in its place. */
export const fileIdentity = async (file: string): Promise<string> => {
  const { dev, ino } = await stat(file, { bigint: true });
  return `${dev}:${ino}`;
};
