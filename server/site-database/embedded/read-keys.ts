import type { DatabaseSync } from "node:sqlite";
import { setImmediate as nextTurn } from "node:timers/promises";
import { EndpointError } from "../../errors.ts";
import { Secret } from "../../secret.ts";
import type { RecoveryKey, RecoveryKeyQuery, SiteDatabase } from "../../command/site-database.ts";
import type { DataKeys } from "./cells.ts";
import type { RawRow } from "./columns.ts";
import { withLockPatience } from "./connection.ts";
import type { LockPatience } from "./connection.ts";
import type { KeyLookUp } from "./key-look-up.ts";
import { pageRows } from "./key-pages.ts";
import { decodeKeyRow } from "./key-rows.ts";
import type { FoundKey, RowJudge } from "./key-rows.ts";
import { prepareNamesakes } from "./namesakes.ts";
import { readerName } from "./principals.ts";
import type { CertificateAccess } from "./principals.ts";
import type { ReadingThread, ReadingThreads } from "./reading-thread.ts";
import type { FoundKeys } from "./reading-worker.ts";
import { createKeySearch } from "./search-keys.ts";

/** Rows decrypted in one go on the server's own thread: about a millisecond of the event loop. */
const decodedRows = 64;
/** Counting decrypts nothing, so its pages may be longer for the same time. */
const countPageRows = 1024;

/** Rows that a walk looks at on the server's own thread. */
export interface InLine {
  /** Before it starts a thread: a few keys are there sooner without one. */
  readonly least: number;
  /** Before it waits for its thread, instead of going on meanwhile. */
  readonly most: number;
}

/** A thread is ready after 40 ms; meanwhile a thousand keys are read here. */
const rowsInLine: InLine = { least: 512, most: 16_384 };

const keyIdPattern = /^[0-9A-F-]{8,36}$/;

/** @throws EndpointError InvalidArgument */
export const checkKeyIds = (query: Pick<RecoveryKeyQuery, "passwordIds">): void => {
  if (query.passwordIds?.some((id) => !keyIdPattern.test(id)))
    throw new EndpointError(
      "InvalidArgument",
      "A recovery key id must be a GUID, or its first 8 or more characters: digits, A to F and hyphens.",
    );
};

type Batches = AsyncGenerator<readonly RecoveryKey[], void, void>;

export interface KeyReader {
  readonly search: SiteDatabase["searchKeys"];
  readonly findComputers: SiteDatabase["findComputers"];
  readonly count: (query: RecoveryKeyQuery, signal: AbortSignal) => Promise<number>;
  readonly read: (query: RecoveryKeyQuery, signal: AbortSignal) => Batches;
}

interface ReaderParts {
  readonly database: DatabaseSync;
  readonly access: CertificateAccess;
  readonly lookUp: KeyLookUp;
  readonly lockWaitMs: number;
  readonly threads: ReadingThreads;
  readonly inLine?: InLine;
}

const secretOf = (recoveryPassword: string, keyId: string, computerName: string): Secret =>
  new Secret(recoveryPassword, { keyId, computerName });

const asRecoveryKey = (found: FoundKey): RecoveryKey => ({
  passwordId: found.passwordId,
  recoveryKey: secretOf(found.recoveryPassword, found.passwordId, found.computerName),
  computerName: found.computerName,
  volumeId: found.volumeId,
  volumeType: found.volumeType,
  lastUpdateTime: found.lastUpdateTime,
  disclosed: found.disclosed,
  state: found.state,
});

const fromColumns = (keys: FoundKeys): readonly RecoveryKey[] =>
  keys.passwordId.map((passwordId, index) => {
    // Columns of one page are equally long.
    const at = <T>(column: readonly T[]): T => column[index] as T;
    const computerName = at(keys.computerName);
    return {
      passwordId,
      recoveryKey: secretOf(at(keys.recoveryPassword), passwordId, computerName),
      computerName,
      volumeId: at(keys.volumeId),
      volumeType: at(keys.volumeType),
      lastUpdateTime: at(keys.lastUpdateTime),
      disclosed: at(keys.disclosed),
      state: at(keys.state),
    };
  });

export const createKeyReader = ({
  database,
  access,
  lookUp,
  lockWaitMs,
  threads,
  inLine = rowsInLine,
}: ReaderParts): KeyReader => {
  const { pages, judgeFor, look, ready } = lookUp;
  const namesakes = prepareNamesakes(database);
  const patience = (signal: AbortSignal): LockPatience => ({ signal, lockWaitMs });

  /** The keys of one page, a slice at a time. */
  async function* decode(rows: readonly RawRow[], judge: RowJudge, signal: AbortSignal) {
    for (let at = 0; at < rows.length; at += decodedRows) {
      const found = await withLockPatience(patience(signal), () => {
        const dataKeys = access.dataKeysFor(readerName);
        return rows
          .slice(at, at + decodedRows)
          .filter(judge.matches)
          .map((row) => decodeKeyRow(row, judge, access, dataKeys));
      });
      if (found.length > 0) yield found;
      await nextTurn();
    }
  }

  return {
    search: createKeySearch(database, lookUp),
    findComputers: async (name, signal) => {
      await ready(signal);
      return look(signal, () => namesakes(name));
    },
    count: async (query, signal) => {
      checkKeyIds(query);
      await ready(signal);
      const { matches } = judgeFor(query);
      const { next } = pages.start(query, false);
      for (let count = 0; ; await nextTurn()) {
        const rows = await look(signal, () => next(countPageRows));
        if (rows.length === 0) return count;
        count += await withLockPatience(patience(signal), () => rows.filter(matches).length);
      }
    },
    read: async function* read(query, signal) {
      checkKeyIds(query);
      await ready(signal);
      const judge = judgeFor(query);
      const { next, position } = pages.start(query, true);
      const dataKeysNow = (): Promise<DataKeys> => look(signal, () => access.dataKeysFor(readerName));
      let thread: ReadingThread | undefined;
      try {
        for (let looked = 0; ;) {
          if (looked >= inLine.least) thread ??= threads.start(query);
          if (thread !== undefined && (thread.isReady || looked >= inLine.most)) {
            for await (const keys of thread.read(position(), dataKeysNow, signal)) yield fromColumns(keys);
            return;
          }
          // Two steps: a lock met while filtering must not ask for the page again, whose position has moved on by then.
          const rows = await look(signal, () => next(pageRows));
          if (rows.length === 0) return;
          looked += rows.length;
          for await (const found of decode(rows, judge, signal)) yield found.map(asRecoveryKey);
        }
      } finally {
        void thread?.end();
      }
    },
  };
};
