import type { KeyObject } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { SiteState } from "../../audit/site-events.ts";
import type { CertificateRestoreRequest } from "../../command/site-database.ts";
import { EndpointError } from "../../errors.ts";
import { thumbprintOf } from "../key-files.ts";
import type { OpenedBackup } from "../open-backup.ts";
import { openOwnBackup } from "./backup-certificate.ts";
import { fingerprint, openCell } from "./cells.ts";
import { exportKey, placeCertificate } from "./certificate-rows.ts";
import { decodeBytes, decodeInteger, decodeText } from "./columns.ts";
import type { RawRow } from "./columns.ts";
import { openExistingConnection, prepareArrays, versionOf, withLockPatience } from "./connection.ts";
import { checkOfDataKey, unwrapDataKey } from "./data-key.ts";
import { unlockDatabase } from "./database.ts";
import { checkStructure } from "./examine-set.ts";
import { asEndpointError, throwIfStopped, unavailable, UnreadableCell } from "./failures.ts";
import { createMasterKey, deriveKeyObject } from "./master-key.ts";
import type { MasterKey, MasterKeyRecord, MasterKeySource } from "./master-key.ts";
import { createRowDigests, keyFields, linkFields, rowDigestKey } from "./row-digests.ts";
import { createRowSet, writeSealed } from "./row-set.ts";
import { cellColumns, masterKeyName, schemaVersion } from "./schema.ts";
import { countUnreadableCells } from "./unreadable-cells.ts";
import { walkRows } from "./walk-rows.ts";

/*
 * The master key is lost, a backup of the certificate is there. The private key of the backup opens the data key, and that opens the cells; what
 * the lost key vouched for (which rows there are, whose they are, which data key is ours) nobody can check any more. It is taken as it stands.
 */

/** What an administrator agrees to. */
export interface LostMasterKey {
  readonly thumbprint: string;
  readonly keys: number;
  readonly links: number;
  /** Encrypted cells that the backup does not open: they stay closed, and their rows refused. */
  readonly unreadableCells: number;
}

export interface MasterKeyRenewed {
  readonly thumbprint: string;
  readonly unreadableCells: number;
  readonly state: SiteState;
  /** Rows without a good digest: those whose cell stays closed. */
  readonly wrongRows: number;
}

interface RenewMasterKey {
  readonly file: string;
  readonly backupDirectory: string;
  readonly request: CertificateRestoreRequest;
  readonly recorded: SiteState | undefined;
  /** Asks whether the rows are to be taken as they stand; throws when they are not. Then makes the source of the new key, and gives it. */
  readonly newMasterKey: (found: LostMasterKey) => Promise<MasterKeySource>;
  /** Puts it on the record, before it counts. */
  readonly renewed: (renewed: MasterKeyRenewed) => Promise<void>;
}

const lockWaitMs = 5000;
/** Some milliseconds of decryption. */
const rowsAtATime = 500;

const count = (database: DatabaseSync, table: string): number =>
  decodeInteger(prepareArrays(database, `SELECT count(*) FROM ${table}`)()[0]?.[0], "count");

const keysTable = cellColumns.recoveryKey.table;
const linksTable = "RecoveryAndHardwareCore_Machines_Volumes";

interface DataKeyOfBackup {
  readonly dataKeyId: number;
  readonly wrapped: Uint8Array;
  readonly dataKey: KeyObject;
  readonly unreadableCells: number;
}

/** Of the data keys that the backup opens, the one that opens most cells: whoever can write the file can add a key, but no cells of ours. */
const findDataKey = async (
  database: DatabaseSync,
  { privateKey }: OpenedBackup,
  signal: AbortSignal,
): Promise<DataKeyOfBackup> => {
  let best: DataKeyOfBackup | undefined;
  const rows = prepareArrays(database, "SELECT data_key_id, wrapped_key FROM data_keys ORDER BY data_key_id")();
  for (const [id, bytes] of rows) {
    const wrapped = decodeBytes(bytes, "wrapped_key");
    let dataKey: KeyObject;
    try {
      dataKey = unwrapDataKey(privateKey, wrapped);
    } catch (error) {
      if (error instanceof EndpointError) continue; // another certificate's
      throw error;
    }
    const unreadableCells = await countUnreadableCells(database, dataKey, { signal, lockWaitMs });
    if (best === undefined || unreadableCells <= best.unreadableCells)
      best = { dataKeyId: decodeInteger(id, "data_key_id"), wrapped, dataKey, unreadableCells };
  }
  if (best === undefined)
    throw new EndpointError(
      "InvalidArgument",
      "The backup is not of the certificate that protects the keys of this site database.",
    );
  return best;
};

interface CellsOfTable {
  readonly place: { readonly table: string; readonly column: string };
  /** Id, what the cell is about, and the cell of a page behind an id. */
  readonly sql: string;
  /** What its fingerprint is about. */
  readonly subject: (about: string) => string;
  /** Of plain text, where the database has some. */
  readonly encoding: BufferEncoding;
}

// The forms of stage-records.ts.
const cells: readonly CellsOfTable[] = [
  {
    place: cellColumns.recoveryKey,
    sql: `SELECT Id, RecoveryKeyId, RecoveryKey FROM ${keysTable} WHERE Id > ? AND RecoveryKey IS NOT NULL ORDER BY Id LIMIT ?`,
    subject: (keyId) => keyId,
    encoding: "latin1",
  },
  {
    place: cellColumns.recoveryPackage,
    sql: `SELECT p.Id, k.RecoveryKeyId, p.RecoveryPackage FROM RecoveryAndHardwareCore_Packages p
            JOIN ${keysTable} k ON k.Id = p.KeyId WHERE p.Id > ? ORDER BY p.Id LIMIT ?`,
    subject: (keyId) => `package ${keyId}`,
    encoding: "base64",
  },
  {
    place: cellColumns.tpmPasswordHash,
    sql: `SELECT t.Id, m.NameFolded, t.TpmPasswordHash FROM RecoveryAndHardwareCore_Tpm t
            JOIN RecoveryAndHardwareCore_Machines m ON m.Id = t.MachineId WHERE t.Id > ? ORDER BY t.Id LIMIT ?`,
    subject: (folded) => `tpm ${folded}`,
    encoding: "utf8",
  },
];

async function* pagesOf(page: (after: number) => readonly RawRow[], signal: AbortSignal) {
  for (let after = Number.MIN_SAFE_INTEGER; ;) {
    const rows = page(after);
    const last = rows.at(-1);
    if (last === undefined) return;
    yield rows;
    after = decodeInteger(last[0], "Id");
    await nextTurn();
    throwIfStopped(signal);
  }
}

/** A cell that stays closed gets an empty fingerprint, which no import takes for its own. */
const newFingerprint = (
  { place, subject, encoding }: CellsOfTable,
  [id, rawAbout, raw]: RawRow,
  { fingerprintKey, dataKey }: { readonly fingerprintKey: KeyObject; readonly dataKey: KeyObject },
): Uint8Array | undefined => {
  const about = decodeText(rawAbout, "subject");
  const address = { ...place, rowId: decodeInteger(id, "Id"), subject: about };
  try {
    const plain =
      typeof raw === "string" ? Buffer.from(raw, encoding) : openCell(dataKey, address, decodeBytes(raw, place.column));
    const mark = fingerprint(fingerprintKey, subject(about), plain);
    plain.fill(0);
    return mark;
  } catch (error) {
    if (error instanceof UnreadableCell) return undefined;
    throw error;
  }
};

/** Fingerprints and digests under the new master key; rows whose cell stays closed get none, and so stay refused. */
const vouchForRows = async (
  database: DatabaseSync,
  masterKey: MasterKey,
  dataKey: KeyObject,
  signal: AbortSignal,
): Promise<void> => {
  const digests = createRowDigests(rowDigestKey(masterKey));
  const keys = { fingerprintKey: deriveKeyObject(masterKey, "pep fingerprint 1"), dataKey };
  const closed = new Set<number>();
  for (const kind of cells) {
    const page = prepareArrays(database, kind.sql);
    const update = database.prepare(`UPDATE ${kind.place.table} SET Fingerprint = ? WHERE Id = ?`);
    for await (const rows of pagesOf((after) => page(after, rowsAtATime), signal))
      for (const row of rows) {
        const id = decodeInteger(row[0], "Id");
        const mark = newFingerprint(kind, row, keys);
        if (mark !== undefined) update.run(mark, id);
        else if (kind.place === cellColumns.recoveryKey) closed.add(id);
      }
  }
  const keyPage = prepareArrays(
    database,
    `SELECT ${keyFields} FROM ${keysTable} k WHERE k.Id > ? ORDER BY k.Id LIMIT ?`,
  );
  const updateKey = database.prepare(`UPDATE ${keysTable} SET RowDigest = ? WHERE Id = ?`);
  for await (const rows of pagesOf((after) => keyPage(after, rowsAtATime), signal))
    for (const row of rows) {
      const id = decodeInteger(row[0], "Id");
      updateKey.run(closed.has(id) ? Buffer.alloc(0) : Buffer.from(digests.ofKey(row), "hex"), id);
    }
  const linkPage = prepareArrays(
    database,
    `SELECT ${linkFields} FROM ${linksTable} mv JOIN RecoveryAndHardwareCore_Machines m ON m.Id = mv.MachineId
       JOIN RecoveryAndHardwareCore_Volumes v ON v.Id = mv.VolumeId
      WHERE mv.MachineId IN (SELECT DISTINCT MachineId FROM ${linksTable} WHERE MachineId > ? ORDER BY MachineId LIMIT ?)
      ORDER BY m.Id`,
  );
  const updateLink = database.prepare(`UPDATE ${linksTable} SET RowDigest = ? WHERE MachineId = ? AND VolumeId = ?`);
  for await (const rows of pagesOf((after) => linkPage(after, rowsAtATime), signal))
    for (const row of rows)
      updateLink.run(
        Buffer.from(digests.ofLink(row), "hex"),
        decodeInteger(row[0], "MachineId"),
        decodeInteger(row[3], "VolumeId"),
      );
};

/** Master key record, certificate with its permissions, and the data key, under the new master key. */
const placeKeys = (
  database: DatabaseSync,
  { masterKey, record }: { readonly masterKey: MasterKey; readonly record: MasterKeyRecord },
  backup: OpenedBackup,
  { dataKeyId, wrapped }: DataKeyOfBackup,
): void => {
  database
    .prepare("UPDATE sys_symmetric_keys SET key_derivation = ?, key_check = ? WHERE name = ?")
    .run(record.keyDerivation, record.keyCheck, masterKeyName);
  database.exec("UPDATE data_keys SET key_check = x''");
  const privateKey = exportKey(backup.privateKey);
  try {
    placeCertificate(
      database,
      masterKey,
      { certificate: backup.certificate, privateKey },
      { dataKeyId, backedUpAt: Date.now() },
    );
  } finally {
    privateKey.fill(0);
  }
  database
    .prepare("UPDATE data_keys SET key_check = ? WHERE data_key_id = ?")
    .run(checkOfDataKey(masterKey, wrapped), dataKeyId);
};

const renewIn = async (
  database: DatabaseSync,
  { backupDirectory, request, recorded, newMasterKey, renewed }: RenewMasterKey,
  signal: AbortSignal,
): Promise<MasterKeyRenewed> => {
  if (versionOf(database) !== schemaVersion)
    throw unavailable(
      "The site database is of another version of pep. Restore its certificate with that version, then upgrade.",
      "an upgrade needs the master key",
    );
  checkStructure(database);
  const backup = await openOwnBackup(backupDirectory, request);
  const thumbprint = thumbprintOf(backup.certificate);
  await withLockPatience({ signal, lockWaitMs }, () => database.exec("BEGIN IMMEDIATE"));
  const found = await findDataKey(database, backup, signal);
  const { unreadableCells } = found;
  const source = await newMasterKey({
    thumbprint,
    keys: count(database, keysTable),
    links: count(database, linksTable),
    unreadableCells,
  });
  const plainTextAllowed =
    prepareArrays(database, "SELECT plain_text_allowed FROM site_settings WHERE id = 1")()[0]?.[0] === 1;
  const made = await createMasterKey(source, plainTextAllowed);
  try {
    placeKeys(database, made, backup, found);
    await vouchForRows(database, made.masterKey, found.dataKey, signal);
    const set = createRowSet(made.masterKey);
    const walk = walkRows({
      database,
      digests: createRowDigests(rowDigestKey(made.masterKey)),
      elementKey: set.elementKey,
    });
    let step = walk.next();
    for (; step.done !== true; step = walk.next()) {
      await nextTurn();
      throwIfStopped(signal);
    }
    const { keys, links, sum, wrong } = step.value;
    const state = { counter: (recorded?.counter ?? 0) + 1, keys, links, sum, before: recorded?.digest ?? "" };
    const done = { thumbprint, unreadableCells, state: set.shown(state), wrongRows: wrong };
    // On the record first: a crash in between leaves the file as it was, under the lost key, and this is done again.
    await renewed(done);
    writeSealed(database, set.seal(state));
    database.exec("COMMIT");
    return done;
  } finally {
    made.masterKey.close();
  }
};

/** Whether this master key opens the database: then nothing is lost. */
export const opensWith = async (file: string, source: MasterKeySource, signal: AbortSignal): Promise<boolean> => {
  try {
    (await unlockDatabase(file, source, { signal, lockWaitMs })).close();
    return true;
  } catch (error) {
    if (error instanceof EndpointError && error.category === "ResourceUnavailable") return false;
    throw error;
  }
};

/**
 * Gives a site database whose master key is lost a new one, and its certificate from a backup.
 *
 * @throws EndpointError InvalidArgument where the backup is another certificate's, or does not open; then nothing was changed
 */
export const renewMasterKey = async (asked: RenewMasterKey, signal: AbortSignal): Promise<MasterKeyRenewed> => {
  const database = await openExistingConnection(asked.file, { signal, lockWaitMs });
  try {
    return await renewIn(database, asked, signal);
  } catch (error) {
    throw asEndpointError(error);
  } finally {
    if (database.isTransaction) database.exec("ROLLBACK");
    database.close();
  }
};
