import type { KeyObject } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import type { SiteState } from "../../audit/site-events.ts";
import type { CertificateRestoreRequest } from "../../command/site-database.ts";
import { EndpointError } from "../../errors.ts";
import { thumbprintOf } from "../key-files.ts";
import type { OpenedBackup } from "../open-backup.ts";
import { openOwnBackup } from "./backup-certificate.ts";
import { cellKinds } from "./cell-kinds.ts";
import { fingerprint, sealCell } from "./cells.ts";
import { exportKey, placeCertificate, removeCertificate } from "./certificate-rows.ts";
import { decodeBytes, decodeInteger } from "./columns.ts";
import { longTransaction, openExistingConnection, prepareArrays, versionOf } from "./connection.ts";
import { unwrapDataKey } from "./data-key.ts";
import { unlockDatabase } from "./database.ts";
import { digestAllRows } from "./digest-rows.ts";
import { checkStructure } from "./examine-set.ts";
import { asEndpointError, unavailable } from "./failures.ts";
import { createMasterKey, deriveKeyObject } from "./master-key.ts";
import type { MasterKey, MasterKeyRecord, MasterKeySource } from "./master-key.ts";
import { addDigestFunctions, createRowDigests, rowDigestKey } from "./row-digests.ts";
import { createRowSet, writeSealed } from "./row-set.ts";
import { cellColumns, masterKeyName, oldCertificateName, schemaVersion } from "./schema.ts";
import { countUnreadableCells, openRow, pagesOfCells } from "./unreadable-cells.ts";
import { walkRowsInTurns } from "./walk-rows.ts";

/*
 * The master key is lost, a backup of the certificate is there. The private key of the backup opens the data key, and that opens the cells; what
 * the lost key vouched for (which rows there are, whose they are, which data key is ours) nobody can check any more. Rows are taken as they stand.
 * Every cell is encrypted anew under a new data key: an old one may have been put there by whoever can write the file, as the certificate is public.
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

const count = (database: DatabaseSync, table: string): number =>
  decodeInteger(prepareArrays(database, `SELECT count(*) FROM ${table}`)()[0]?.[0], "count");

const keysTable = cellColumns.recoveryKey.table;
const linksTable = "RecoveryAndHardwareCore_Machines_Volumes";

/** Those of the data keys in the file that the backup opens. Which of them are ours, only the lost key could prove. */
const findDataKeys = (database: DatabaseSync, { privateKey }: OpenedBackup): readonly KeyObject[] => {
  const opened = prepareArrays(database, "SELECT wrapped_key FROM data_keys")().flatMap(([wrapped]) => {
    try {
      return unwrapDataKey(privateKey, decodeBytes(wrapped, "wrapped_key"));
    } catch (error) {
      if (error instanceof EndpointError) return []; // another certificate's
      throw error;
    }
  });
  if (opened.length > 0) return opened;
  throw new EndpointError(
    "InvalidArgument",
    "The backup is not of the certificate that protects the keys of this site database.",
  );
};

/** Certificate, permissions and master key record under the new master key. @returns the new data key */
const placeKeys = (
  database: DatabaseSync,
  { masterKey, record }: { readonly masterKey: MasterKey; readonly record: MasterKeyRecord },
  backup: OpenedBackup,
): KeyObject => {
  database
    .prepare("UPDATE sys_symmetric_keys SET key_derivation = ?, key_check = ? WHERE name = ?")
    .run(record.keyDerivation, record.keyCheck, masterKeyName);
  // Of a renewal under way. Its copies were sealed with the lost key, and no cell needs it: each is encrypted anew.
  removeCertificate(database, oldCertificateName);
  const privateKey = exportKey(backup.privateKey);
  try {
    return placeCertificate(
      database,
      masterKey,
      { certificate: backup.certificate, privateKey },
      { backedUpAt: Date.now() },
    );
  } finally {
    privateKey.fill(0);
  }
};

interface OldAndNew {
  readonly dataKeys: readonly KeyObject[];
  readonly newDataKey: KeyObject;
  readonly masterKey: MasterKey;
  readonly plainTextAllowed: boolean;
}

/** Every cell under the new data key, every fingerprint under the new master key. @returns rows of keys whose cell stays closed */
const sealAnew = async (
  database: DatabaseSync,
  { dataKeys, newDataKey, masterKey, plainTextAllowed }: OldAndNew,
  signal: AbortSignal,
): Promise<readonly number[]> => {
  const fingerprintKey = deriveKeyObject(masterKey, "pep fingerprint 1");
  const closed: number[] = [];
  for (const kind of Object.values(cellKinds)) {
    const { place, page, marked, encoding } = kind;
    const seal = database.prepare(`UPDATE ${place.table} SET ${place.column} = ?, Fingerprint = ? WHERE Id = ?`);
    const mark = database.prepare(`UPDATE ${place.table} SET Fingerprint = ? WHERE Id = ?`);
    for await (const rows of pagesOfCells(database, page, { signal, lockWaitMs }))
      for (const row of rows) {
        const id = decodeInteger(row[0], "Id");
        const [, about, cell] = row;
        const opened = cell instanceof Uint8Array ? openRow(dataKeys, place, row) : undefined;
        if (opened !== undefined) {
          const { address, plain } = opened;
          seal.run(
            sealCell(newDataKey, address, plain),
            fingerprint(fingerprintKey, marked(address.subject), plain),
            id,
          );
          plain.fill(0);
        } else if (typeof cell === "string" && typeof about === "string" && plainTextAllowed)
          mark.run(fingerprint(fingerprintKey, marked(about), Buffer.from(cell, encoding)), id);
        else if (kind === cellKinds.recoveryKey) closed.push(id);
      }
  }
  return closed;
};

/** Digests under the new master key; a row whose cell stays closed gets none, and so stays refused. */
const vouchForRows = (database: DatabaseSync, masterKey: MasterKey, closed: readonly number[]): void => {
  addDigestFunctions(database, createRowDigests(rowDigestKey(masterKey)));
  digestAllRows(database);
  const voidDigest = database.prepare(`UPDATE ${keysTable} SET RowDigest = x'' WHERE Id = ?`);
  for (const id of closed) voidDigest.run(id);
};

/** Everything under a new master key, once it is on the record. Inside a transaction. */
const replaceKeys = async (
  database: DatabaseSync,
  { recorded, newMasterKey, renewed }: RenewMasterKey,
  backup: OpenedBackup,
  signal: AbortSignal,
): Promise<MasterKeyRenewed> => {
  const thumbprint = thumbprintOf(backup.certificate);
  const dataKeys = findDataKeys(database, backup);
  const unreadableCells = await countUnreadableCells(database, dataKeys, { signal, lockWaitMs });
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
    const { masterKey } = made;
    const newDataKey = placeKeys(database, made, backup);
    const closed = await sealAnew(database, { dataKeys, newDataKey, masterKey, plainTextAllowed }, signal);
    vouchForRows(database, masterKey, closed);
    const set = createRowSet(masterKey);
    const digests = createRowDigests(rowDigestKey(masterKey));
    const { keys, links, sum, wrong } = await walkRowsInTurns(
      { database, digests, elementKey: set.elementKey },
      signal,
    );
    const state = { counter: (recorded?.counter ?? 0) + 1, keys, links, sum, before: recorded?.digest ?? "" };
    const done = { thumbprint, unreadableCells, state: set.shown(state), wrongRows: wrong };
    // On the record first: a crash in between leaves the file as it was, under the lost key, and this is done again.
    await renewed(done);
    writeSealed(database, set.seal(state));
    return done;
  } finally {
    made.masterKey.close();
  }
};

const renewIn = async (
  database: DatabaseSync,
  asked: RenewMasterKey,
  signal: AbortSignal,
): Promise<MasterKeyRenewed> => {
  if (versionOf(database) !== schemaVersion)
    throw unavailable(
      "The site database is of another version of pep. Restore its certificate with that version, then upgrade.",
      "an upgrade needs the master key",
    );
  checkStructure(database);
  const backup = await openOwnBackup(asked.backupDirectory, asked.request);
  return longTransaction(database, { signal, lockWaitMs }, () => replaceKeys(database, asked, backup, signal));
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
    database.close();
  }
};
