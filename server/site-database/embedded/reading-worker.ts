import type { KeyObject } from "node:crypto";
import { on } from "node:events";
import { parentPort, workerData } from "node:worker_threads";
import { EndpointError } from "../../errors.ts";
import type { FailureCategory } from "../../errors.ts";
import type { RecoveryKeyQuery } from "../../command/site-database.ts";
import type { DataKeys } from "./cells.ts";
import type { RawRow } from "./columns.ts";
import { fileIdentity, openExistingConnection, withLockPatience } from "./connection.ts";
import { asEndpointError, unavailable, UnreadableCell } from "./failures.ts";
import { goBehindOthers } from "./go-behind-others.ts";
import { pageRows, prepareKeyPages } from "./key-pages.ts";
import type { KeyPosition, KeyWalk } from "./key-pages.ts";
import { decodeKeyRow, prepareRowJudge } from "./key-rows.ts";
import type { FoundKey } from "./key-rows.ts";
import { createRowDigests } from "./row-digests.ts";
import type { StoragePolicy } from "./stored-secrets.ts";
import { pagesAhead } from "./thread-limits.ts";

/** What a thread reads: one query, over a connection of its own. */
export interface ReadingTask extends StoragePolicy {
  readonly file: string;
  readonly identity: string;
  /** Of the row digests: it checks rows and opens nothing. */
  readonly rowDigestKey: KeyObject;
  readonly query: RecoveryKeyQuery;
  readonly lockWaitMs: number;
}

/** Asks for one page. The data keys come with each: the thread holds no right of its own, and none that has gone. */
export interface PageRequest {
  readonly dataKeys: DataKeys;
  /** With the first: where to go on. */
  readonly from?: KeyPosition;
}

type Columns = { readonly [Field in keyof FoundKey]: FoundKey[Field][] };

/**
 * Columns instead of rows: what a message costs on both sides together is 1.2 µs a key so, 4 as arrays of rows or as objects.
 */
export type FoundKeys = { readonly [Field in keyof Columns]: readonly FoundKey[Field][] };

export type FromReadingWorker =
  | { readonly kind: "ready" }
  | { readonly kind: "page"; readonly keys: FoundKeys }
  | { readonly kind: "end" }
  | { readonly kind: "failed"; readonly category: FailureCategory; readonly message: string; readonly cause: unknown };

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- of windows, which a thread is none
const post = (message: FromReadingWorker): void => parentPort?.postMessage(message);

const toColumns = (keys: readonly FoundKey[]): FoundKeys => {
  const columns: Columns = {
    passwordId: [],
    recoveryPassword: [],
    computerName: [],
    volumeId: [],
    volumeType: [],
    lastUpdateTime: [],
    disclosed: [],
    state: [],
  };
  for (const key of keys) {
    columns.passwordId.push(key.passwordId);
    columns.recoveryPassword.push(key.recoveryPassword);
    columns.computerName.push(key.computerName);
    columns.volumeId.push(key.volumeId);
    columns.volumeType.push(key.volumeType);
    columns.lastUpdateTime.push(key.lastUpdateTime);
    columns.disclosed.push(key.disclosed);
    columns.state.push(key.state);
  }
  return columns;
};

const work = async (task: ReadingTask, requests: AsyncIterable<PageRequest>): Promise<void> => {
  // Never aborted: stopping ends the thread.
  const patience = { signal: new AbortController().signal, lockWaitMs: task.lockWaitMs };
  if ((await fileIdentity(task.file)) !== task.identity)
    throw unavailable("The site database is not available.", "another file was put in the place of the open one");
  const database = await openExistingConnection(task.file, patience, true);
  const pages = prepareKeyPages(database);
  const judge = prepareRowJudge(database, createRowDigests(task.rowDigestKey))(task.query);
  post({ kind: "ready" });

  /** @returns undefined where a cell did not open, as long as data keys of another time may be on their way */
  const openPage = async (page: readonly RawRow[], dataKeys: DataKeys): Promise<readonly FoundKey[] | undefined> => {
    try {
      return await withLockPatience(patience, () =>
        page.filter(judge.matches).map((row) => decodeKeyRow(row, judge, task, dataKeys)),
      );
    } catch (error) {
      if (refused >= pagesAhead || !(error instanceof EndpointError && error.cause instanceof UnreadableCell))
        throw error;
      return undefined;
    }
  };

  let walk: KeyWalk | undefined;
  let rows: readonly RawRow[] | undefined;
  let refused = 0;
  for await (const { from, dataKeys } of requests) {
    const { next } = (walk ??= pages.start(task.query, true, from));
    const page = (rows ??= await withLockPatience(patience, () => next(pageRows)));
    if (page.length === 0) break;
    const keys = await openPage(page, dataKeys);
    if (keys === undefined) {
      // Asked for before the certificate was renewed, with what was right then: whoever asks again brings what is right now.
      refused += 1;
      post({ kind: "page", keys: toColumns([]) });
      continue;
    }
    rows = undefined;
    refused = 0;
    post({ kind: "page", keys: toColumns(keys) });
  }
  database.close();
  post({ kind: "end" });
};

async function* requestsOf(port: NonNullable<typeof parentPort>): AsyncGenerator<PageRequest> {
  for await (const [request] of on(port, "message")) yield request as PageRequest; // from reading-thread.ts alone
}

if (parentPort !== null) {
  goBehindOthers();
  try {
    await work(workerData as ReadingTask, requestsOf(parentPort)); // from reading-thread.ts alone
  } catch (error) {
    const { category, message, cause } = asEndpointError(error);
    post({ kind: "failed", category, message, cause });
  }
  parentPort.close();
}
