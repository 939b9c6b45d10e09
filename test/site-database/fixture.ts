import { createHash, randomUUID } from "node:crypto";
import { copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { revealSecret, Secret } from "../../server/secret.ts";
import {
  createEmbeddedSiteDatabase,
  createMasterKeyFile,
  inspectEmbeddedSite,
  openEmbeddedSiteDatabase,
  openRecoveryRecordWriter,
} from "../../server/site-database/embedded/index.ts";
import type { SiteState } from "../../server/audit/site-events.ts";
import type { OpenDatabase } from "../../server/site-database/embedded/database.ts";
import { computeCheck, openMasterKey } from "../../server/site-database/embedded/master-key.ts";
import { schemaVersion } from "../../server/site-database/embedded/schema.ts";
import type { SiteInspection } from "../../server/site-database/embedded/inspect.ts";
import type { SetRefusal } from "../../server/site-database/embedded/judge-set.ts";
import type { ImportResult } from "../../server/site-database/embedded/write-records.ts";
import type { RecoveryKey, RecoveryKeyQuery, SiteDatabase } from "../../server/command/site-database.ts";
import type { RecoveryRecord, SiteRecord } from "../../server/site-database/recovery-record.ts";

/** A GUID that is always the same for the same name. */
export const guid = (name: string): string => {
  const hex = createHash("md5").update(name).digest("hex").toUpperCase();
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-A${hex.slice(17, 20)}-${hex.slice(20)}`;
};

/** A well-formed recovery password, another one for each number. */
export const passwordOf = (number: number): string =>
  Array.from({ length: 8 }, (_, group) =>
    String(((number * 7919 + group * 10_007 + 1) % 65_536) * 11).padStart(6, "0"),
  ).join("-");

export interface RecordParts {
  readonly line?: number;
  readonly keyId?: string;
  readonly password?: string;
  readonly computerName?: string;
  readonly volumeId?: string;
  readonly volumeType?: RecoveryRecord["volumeType"];
  readonly lastUpdateTime?: string;
  readonly recoveryPackage?: Uint8Array;
  readonly tpmPasswordHash?: Secret;
}

export const passwordRecord = (number: number, parts: RecordParts = {}): RecoveryRecord => {
  const { keyId = guid(`key ${number}`), password = passwordOf(number), ...rest } = parts;
  return {
    line: number + 1,
    computerName: `PC-${number}`,
    volumeType: "OperatingSystem",
    ...rest,
    protector: { kind: "NumericalPassword", keyId, recoveryPassword: new Secret(password) },
  };
};

export async function* streamOf<Item>(items: Iterable<Item>): AsyncGenerator<Item, void, void> {
  for (const item of items) {
    await Promise.resolve();
    yield item;
  }
}

export const neverStopped = new AbortController().signal;

export const collect = async (batches: AsyncIterable<readonly RecoveryKey[]>): Promise<RecoveryKey[]> => {
  const keys: RecoveryKey[] = [];
  for await (const batch of batches) keys.push(...batch);
  return keys;
};

/** As a command shows keys: what was read is handed over once it is marked. */
export async function* disclosing(
  database: SiteDatabase,
  query: RecoveryKeyQuery,
  reason: string,
  signal: AbortSignal,
): AsyncGenerator<readonly RecoveryKey[], void, void> {
  for await (const keys of database.readRecoveryKeys(query, signal)) {
    await database.markDisclosed(
      keys.map(({ passwordId }) => passwordId),
      reason,
      signal,
    );
    yield keys;
  }
}

export const textOf = (key: RecoveryKey | undefined): string | undefined => key && revealSecret(key.recoveryKey);

/** Every walk at once in a thread of its own, as one beyond some hundred rows is. */
export const inThreads = { reading: { inLine: { least: 0, most: 0 }, threads: { most: 8 } } } as const;

/** Both ways to read, for what must hold in both. */
export const waysToRead = [
  ["on the server's own thread", {}],
  ["in a thread of its own", inThreads],
] as const;

/** What a log would keep of one site database. */
export interface KeptRecord {
  readonly newest: () => SiteState | undefined;
  readonly written: (state: SiteState) => Promise<void>;
  readonly refused: (refusal: SetRefusal) => Promise<void>;
  readonly refusals: readonly SetRefusal[];
  /** As the record of a version that put no state there. */
  readonly forget: () => void;
}

export const keepRecord = (): KeptRecord => {
  let newest: SiteState | undefined;
  const refusals: SetRefusal[] = [];
  return {
    newest: () => newest,
    written: async (state) => {
      if (state.counter >= (newest?.counter ?? 0)) newest = state;
    },
    refused: async (refusal) => void refusals.push(refusal),
    refusals,
    forget: () => {
      newest = undefined;
    },
  };
};

/** The same, for an import. */
export const asImportRecord = ({ newest, written }: KeptRecord) => ({ newest: async () => newest(), written });

/** A folder with an embedded site database in it, and what tests do with one. */
export interface TestSite {
  readonly directory: string;
  readonly file: string;
  readonly masterKeyFile: string;
  readonly backupDirectory: string;
  readonly record: KeptRecord;
  open(options?: Pick<OpenDatabase, "lockWaitMs" | "reading">): Promise<SiteDatabase>;
  /** As `pep doctor` looks at it. */
  inspect(whole: boolean): Promise<SiteInspection>;
  importRecords(records: Iterable<SiteRecord>): Promise<ImportResult>;
  /** Edits the file as someone would who has the file but not the key. */
  tamper(sql: string, ...parameters: (string | number | Uint8Array | null)[]): void;
  /** Looks into the file behind the adapter's back; array rows. */
  look(sql: string): unknown[][];
  dispose(): Promise<void>;
}

const siteIn = (directory: string): TestSite => {
  const file = join(directory, "data", "site.sqlite");
  const masterKeyFile = join(directory, "master-key");
  const backupDirectory = join(directory, "backup");
  const masterKey = { kind: "file", path: masterKeyFile } as const;
  const opened: SiteDatabase[] = [];
  const record = keepRecord();
  const withFile = <Result>(work: (database: DatabaseSync) => Result): Result => {
    const database = new DatabaseSync(file, { timeout: 5000, enableForeignKeyConstraints: false });
    try {
      return work(database);
    } finally {
      database.close();
    }
  };
  return {
    directory,
    file,
    masterKeyFile,
    backupDirectory,
    record,
    inspect: (whole) => inspectEmbeddedSite({ file, masterKey, recorded: record.newest(), whole }, neverStopped),
    open: async (options = {}) => {
      const database = await openEmbeddedSiteDatabase({ file, masterKey, record, backupDirectory, ...options });
      opened.push(database);
      return database;
    },
    importRecords: async (records) => {
      const writer = openRecoveryRecordWriter({ file, masterKey, record: asImportRecord(record) });
      try {
        return await writer.importFile(streamOf(records), { onProgress: () => undefined, signal: neverStopped });
      } finally {
        await writer.close();
      }
    },
    tamper: (sql, ...parameters) =>
      withFile((database) => {
        const statement = database.prepare(sql);
        // For the id of what it inserts, which may be larger than a number of JavaScript.
        statement.setReadBigInts(true);
        statement.run(...parameters);
      }),
    look: (sql) =>
      withFile((database) => {
        const statement = database.prepare(sql);
        statement.setReturnArrays(true);
        // Array rows after setReturnArrays; the type knows objects only.
        return statement.all() as unknown as unknown[][];
      }),
    dispose: async () => {
      for (const database of opened) await database.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
};

export interface SiteMaker {
  /** A new, empty site. */
  make(): Promise<TestSite>;
  dispose(): Promise<void>;
}

/** Makes sites fast: an RSA key takes up to a second, so one database is made and copied. */
export const createSiteMaker = async (options: { readonly plainText?: boolean } = {}): Promise<SiteMaker> => {
  const root = await mkdtemp(join(tmpdir(), "pep-site-"));
  const prepare = async (): Promise<TestSite> => {
    const directory = join(root, randomUUID());
    await mkdir(join(directory, "data"), { recursive: true });
    await mkdir(join(directory, "backup"), { mode: 0o700 });
    return siteIn(directory);
  };
  const template = await prepare();
  await createMasterKeyFile(template.masterKeyFile);
  await createEmbeddedSiteDatabase({
    file: template.file,
    masterKey: { kind: "file", path: template.masterKeyFile },
    ...options,
  });
  return {
    make: async () => {
      const site = await prepare();
      await copyFile(template.file, site.file);
      await copyFile(template.masterKeyFile, site.masterKeyFile);
      return site;
    },
    dispose: () => rm(root, { recursive: true, force: true }),
  };
};

/** What each version has that the one before has not, taken away again: the newest first. */
const stepsBack: readonly (readonly string[])[] = [
  ["ALTER TABLE data_keys DROP COLUMN key_check"],
  ["DROP TABLE row_set"],
  ["RecoveryAndHardwareCore_Machines_Volumes", "RecoveryAndHardwareCore_Keys"].map(
    (table) => `ALTER TABLE ${table} DROP COLUMN RowDigest`,
  ),
];

/** As an earlier version had its tables, but for the master key's check. */
export const takeBack = (site: TestSite, version: number): void => {
  for (const statement of stepsBack.slice(0, schemaVersion - version).flat()) site.tamper(statement);
  site.tamper(`PRAGMA user_version = ${version}`);
};

/** The same with the check that such a version wrote: honestly older. What the record knows stays. */
export const makeOlder = async (site: TestSite, version: number): Promise<void> => {
  const [keyDerivation, keyCheck] = site.look("SELECT key_derivation, key_check FROM sys_symmetric_keys")[0] ?? [];
  if (typeof keyDerivation !== "string" || !(keyCheck instanceof Uint8Array)) throw new Error("no record");
  const source = { kind: "file", path: site.masterKeyFile } as const;
  const masterKey = await openMasterKey(source, { keyDerivation, keyCheck }, false, schemaVersion);
  site.tamper("UPDATE sys_symmetric_keys SET key_check = ?", computeCheck(masterKey, keyDerivation, false, version));
  masterKey.close();
  takeBack(site, version);
};
