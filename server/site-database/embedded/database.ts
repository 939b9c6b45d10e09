import { open, rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { KeyObject } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { codeOf, EndpointError } from "../../errors.ts";
import { checkIsOutside } from "../backup-files.ts";
import type { KeysStored, SiteDatabase } from "../../command/site-database.ts";
import { cameAfter } from "../uncollected.ts";
import { backupCertificate } from "./backup-certificate.ts";
import { createBitLockerCertificate } from "./certificate.ts";
import { decodeBytes, decodeInteger, decodeText } from "./columns.ts";
import {
  fileIdentity,
  openExistingConnection,
  openNewConnection,
  prepareArrays,
  versionOf,
  withLockPatience,
  writeTransaction,
} from "./connection.ts";
import type { LockPatience } from "./connection.ts";
import { asEndpointError, unavailable } from "./failures.ts";
import { prepareKeyLookUp } from "./key-look-up.ts";
import { examineAside } from "./examine-aside.ts";
import { computeCheck, createMasterKey, openMasterKey } from "./master-key.ts";
import type { MasterKeySource } from "./master-key.ts";
import { CertificateAccess } from "./principals.ts";
import { createKeyReader } from "./read-keys.ts";
import { createPackageReader } from "./read-package.ts";
import { createTpmReader } from "./read-tpm.ts";
import { createProtectorReader } from "./read-protectors.ts";
import type { InLine } from "./read-keys.ts";
import { ReadingThreads } from "./reading-thread.ts";
import type { ThreadOptions } from "./reading-thread.ts";
import { addDigestFunctions, createRowDigests, rowDigestKey } from "./row-digests.ts";
import type { RowDigests } from "./row-digests.ts";
import { createMarker } from "./mark-disclosed.ts";
import { raiseVersion } from "./raise-version.ts";
import { createRowSet, emptySet, keysStored, prepareSealed, writeSealed } from "./row-set.ts";
import type { RowSet } from "./row-set.ts";
import { createSchemaSql, masterKeyName, schemaVersion } from "./schema.ts";
import { SetGuard } from "./set-guard.ts";
import type { SiteRecord } from "./set-guard.ts";
import { placeCertificate } from "./certificate-rows.ts";
import { createCertificate, findCertificate, restoreCertificate } from "./make-certificate.ts";
import { createCertificateVerifier } from "./verify-certificate.ts";

export interface NewDatabase {
  readonly file: string;
  readonly masterKey: MasterKeySource;
  /**
   * Store recovery keys in plain text, without a certificate: "Allow recovery information to be stored in plain text" of the
   * BitLocker management policy. Only at creation, and bound to the master key.
   */
  readonly plainText?: boolean;
}

const removeDatabase = async (file: string): Promise<void> => {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) await rm(`${file}${suffix}`, { force: true });
};

/** Makes a new, empty site database with its master key record and certificate. Refuses an existing file. */
export const createEmbeddedSiteDatabase = async ({
  file,
  masterKey: source,
  plainText = false,
}: NewDatabase): Promise<void> => {
  const { masterKey, record } = await createMasterKey(source, plainText);
  try {
    // Made empty by us first: exclusively, and 0600 from the first moment. SQLite gives the -wal and -shm files its mode.
    const handle = await open(file, "wx", 0o600).catch((error: unknown) => {
      throw codeOf(error) === "EEXIST"
        ? new EndpointError("ResourceExists", "The site database is already there.", { cause: error })
        : unavailable("The site database can't be made.", error instanceof Error ? error : String(error));
    });
    await handle.close();
    try {
      const certificate = plainText ? undefined : await createBitLockerCertificate(new Date());
      const database = openNewConnection(file);
      try {
        database.exec("PRAGMA journal_mode = WAL");
        // One transaction, so that a crash leaves a file without our application_id, which nothing opens.
        writeTransaction(database, () => {
          database.exec(createSchemaSql);
          database
            .prepare("INSERT INTO sys_symmetric_keys (name, key_derivation, key_check) VALUES (?, ?, ?)")
            .run(masterKeyName, record.keyDerivation, record.keyCheck);
          const set = createRowSet(masterKey);
          writeSealed(database, set.seal(emptySet(set)));
          database
            .prepare("INSERT INTO site_settings (id, plain_text_allowed, next_row_id) VALUES (1, ?, 1)")
            .run(Number(plainText));
          if (certificate !== undefined) placeCertificate(database, masterKey, certificate);
        });
      } finally {
        database.close();
      }
    } catch (error) {
      await removeDatabase(file);
      throw asEndpointError(error);
    }
  } finally {
    masterKey.close();
  }
};

/** An open database file together with the right to its keys. */
export interface UnlockedDatabase {
  readonly database: DatabaseSync;
  readonly access: CertificateAccess;
  readonly rowDigestKey: KeyObject;
  readonly digests: RowDigests;
  readonly set: RowSet;
  /** A key from the master key for one purpose; the caller zeroes it. */
  readonly deriveKey: (purpose: string) => Uint8Array;
  close(): void;
}

/** Opens the file and its master key. Fails, in words, rather than give a database whose keys would not open. */
export const unlockDatabase = async (
  file: string,
  source: MasterKeySource,
  patience: LockPatience,
): Promise<UnlockedDatabase> => {
  const database = await openExistingConnection(file, patience);
  try {
    const { keyDerivation, keyCheck, plainTextAllowed, version } = await withLockPatience(patience, () => {
      const row = prepareArrays(
        database,
        `SELECT k.key_derivation, k.key_check, s.plain_text_allowed
           FROM sys_symmetric_keys k, site_settings s WHERE k.name = ?`,
      )(masterKeyName)[0];
      if (row === undefined) throw unavailable("The site database has no master key record.", "record missing");
      return {
        keyDerivation: decodeText(row[0], "key_derivation"),
        keyCheck: decodeBytes(row[1], "key_check"),
        plainTextAllowed: decodeInteger(row[2], "plain_text_allowed") === 1,
        version: decodeInteger(versionOf(database), "user_version"),
      };
    });
    const masterKey = await openMasterKey(source, { keyDerivation, keyCheck }, plainTextAllowed, version);
    const digestKey = rowDigestKey(masterKey);
    const digests = createRowDigests(digestKey);
    addDigestFunctions(database, digests);
    const set = createRowSet(masterKey);
    if (version !== schemaVersion) {
      const newCheck = computeCheck(masterKey, keyDerivation, plainTextAllowed, schemaVersion);
      await withLockPatience(patience, () => raiseVersion(database, { digests, set, masterKey, keyCheck: newCheck }));
    }
    const access = new CertificateAccess(database, masterKey, plainTextAllowed);
    return {
      database,
      access,
      rowDigestKey: digestKey,
      digests,
      set,
      deriveKey: (purpose) => masterKey.deriveKey(purpose),
      close: () => {
        access.close();
        database.close();
      },
    };
  } catch (error) {
    database.close();
    throw asEndpointError(error);
  }
};

const defaultLockWaitMs = 5000;

export interface OpenDatabase {
  readonly file: string;
  readonly masterKey: MasterKeySource;
  /** What the rows are held against. */
  readonly record: SiteRecord;
  /** Where `backup-cert` writes; outside the database's own directory. Without it there are no backups. */
  readonly backupDirectory?: string;
  /** How long to try again while another process (an import) holds the write lock. */
  readonly lockWaitMs?: number;
  /** When a walk goes on in a thread of its own, and in what. */
  readonly reading?: { readonly inLine?: InLine; readonly threads?: ThreadOptions };
}

/** What a database is served with, once it is unlocked. */
const serve = (
  unlocked: UnlockedDatabase,
  identity: string,
  { file, record, lockWaitMs = defaultLockWaitMs, reading }: OpenDatabase,
) => {
  const { database, access, digests, set, rowDigestKey: digestKey } = unlocked;
  const opened = { file, identity, rowDigestKey: digestKey, lockWaitMs };
  const threads = new ReadingThreads(
    { ...opened, plainTextAllowed: access.plainTextAllowed, fingerprintKey: access.fingerprintKey },
    reading?.threads ?? {},
  );
  const guard = new SetGuard({
    database,
    set,
    record,
    lockWaitMs,
    examine: (rows, stop) => examineAside({ ...opened, elementKey: set.elementKey }, rows, stop),
  });
  const lookUp = prepareKeyLookUp({ database, digests, guard, lockWaitMs });
  const reader = createKeyReader({
    database,
    access,
    lookUp,
    lockWaitMs,
    threads,
    ...(reading?.inLine === undefined ? {} : { inLine: reading.inLine }),
  });
  const mark = createMarker(database, access, lookUp);
  const packages = createPackageReader(database, access, lookUp, mark);
  const protectors = createProtectorReader(database, digests, lookUp);
  const tpm = createTpmReader(database, access, lookUp);
  return {
    reader,
    mark,
    packages,
    protectors,
    tpm,
    guard,
    threads,
    verify: createCertificateVerifier(database, access),
  };
};

/** Opens the embedded site database for the server. Close it to zero its keys and empty the write-ahead log. */
export const openEmbeddedSiteDatabase = async (options: OpenDatabase): Promise<SiteDatabase> => {
  const { file, masterKey, backupDirectory, lockWaitMs = defaultLockWaitMs } = options;
  if (backupDirectory !== undefined) await checkIsOutside(backupDirectory, dirname(file));
  const unlocked = await unlockDatabase(file, masterKey, { signal: new AbortController().signal, lockWaitMs });
  const { database, access } = unlocked;
  try {
    const { reader, mark, packages, protectors, tpm, guard, threads, verify } = serve(
      unlocked,
      await fileIdentity(file),
      options,
    );
    await guard.open();
    const parts = { database, access, keys: unlocked, lockWaitMs };
    const checkedBackupDirectory = async (): Promise<string> => {
      if (backupDirectory === undefined)
        throw unavailable("No backup directory is configured on this endpoint.", "backupDirectory is not set");
      // Again: a link on the way may lead elsewhere by now.
      await checkIsOutside(backupDirectory, dirname(file));
      return backupDirectory;
    };
    const readSealed = prepareSealed(database);
    const stored = (signal: AbortSignal): Promise<KeysStored> =>
      withLockPatience({ signal, lockWaitMs }, () => {
        const state = unlocked.set.open(readSealed());
        if (state === undefined)
          throw unavailable("The site database is not available.", "its rows are not sealed with the master key");
        return keysStored(state);
      });
    return {
      searchKeys: reader.search,
      findComputers: reader.findComputers,
      countRecoveryKeys: reader.count,
      keysStored: stored,
      // By number, not by time: an import brings keys with the time of their source.
      keysSince: async (before, signal) => cameAfter(await stored(signal), before),
      readRecoveryKeys: reader.read,
      markDisclosed: mark,
      ...packages,
      ...protectors,
      ...tpm,
      verifyCertificate: (signal) => withLockPatience({ signal, lockWaitMs }, () => verify(new Date())),
      backupCertificate: async (request, signal) =>
        backupCertificate({ ...parts, backupDirectory: await checkedBackupDirectory() }, request, signal),
      findCertificate: (signal) => findCertificate(parts, signal),
      createCertificate: (request, signal) => createCertificate(parts, request, signal),
      restoreCertificate: async (request, signal) =>
        restoreCertificate({ ...parts, backupDirectory: await checkedBackupDirectory() }, request, signal),
      close: async () => {
        // First, so that ours is the last connection: only that one can empty the write-ahead log.
        await guard.close();
        await threads.close();
        if (database.isOpen) unlocked.close();
      },
    };
  } catch (error) {
    unlocked.close();
    throw asEndpointError(error);
  }
};
