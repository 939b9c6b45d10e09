import { createPrivateKey } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import type { SiteState } from "../../audit/site-events.ts";
import type { CertificateRestoreRequest } from "../../command/site-database.ts";
import { EndpointError } from "../../errors.ts";
import { checkIsOutside } from "../backup-files.ts";
import { thumbprintOf } from "../key-files.ts";
import type { OpenedBackup } from "../open-backup.ts";
import { isThere, openOwnBackup, writeOwnBackup } from "./backup-certificate.ts";
import { cellKinds } from "./cell-kinds.ts";
import type { CellKind } from "./cell-kinds.ts";
import { sealCell } from "./cells.ts";
import { createBitLockerCertificate, parseCertificate } from "./certificate.ts";
import { addDataKey, addOpener, exportKey, grantees, placeRow, removeCertificate } from "./certificate-rows.ts";
import { decodeBytes, decodeInteger } from "./columns.ts";
import type { RawRow } from "./columns.ts";
import { longTransaction, prepareArrays, withLockPatience, writeTransaction } from "./connection.ts";
import type { ArrayQuery, LockPatience } from "./connection.ts";
import { unwrapDataKey } from "./data-key.ts";
import { unlockDatabase } from "./database.ts";
import type { UnlockedDatabase } from "./database.ts";
import { asEndpointError, isLockFailure, unavailable } from "./failures.ts";
import { afterRefusal, judgeSet, refusalInWords } from "./judge-set.ts";
import type { MasterKeySource } from "./master-key.ts";
import { writerName } from "./principals.ts";
import { prepareSealed } from "./row-set.ts";
import { certificateName, oldCertificateName } from "./schema.ts";
import { countCells, openImported } from "./unreadable-cells.ts";
import type { CellCounts, CellOpener } from "./unreadable-cells.ts";

/*
 * A new certificate beside the old one; decision 0017. The new one comes out of its own backup, so no cell is ever under a key without one.
 * In one transaction it takes the old one's name and permissions, opens the data key that is there, and gets one of its own, the newest. Then
 * cells move to that, page by page. Each cell opens with the new certificate's backup at any moment, and with the old one's until it has moved.
 */

export interface RenewalFound {
  readonly thumbprint: string;
  /** Of the certificate that is being replaced: a renewal is under way. */
  readonly oldThumbprint?: string;
  readonly counts: CellCounts;
}

interface RenewalEvent {
  readonly thumbprint: string;
  readonly oldThumbprint: string;
  /** Cells. */
  readonly moved: number;
  readonly closed: number;
}

/** What is put on the record, before it counts. */
export type RenewalStep = RenewalEvent & { readonly step: "began" | "resumed" | "moved" | "retired" };

interface Renewal {
  readonly file: string;
  readonly masterKey: MasterKeySource;
  readonly backupDirectory: string;
  readonly recorded: SiteState | undefined;
  readonly record: (step: RenewalStep) => Promise<void>;
  /** Asks for the backup of the new certificate, which may still have to be made; throws when nothing is to be done. */
  readonly confirm: (found: RenewalFound) => Promise<Omit<CertificateRestoreRequest, "acceptUnreadableKeysIn">>;
}

interface RenewCertificate extends Renewal {
  readonly onFound: (found: RenewalFound) => void;
  readonly onProgress: (cells: number) => void;
}

export interface RenewalDone extends RenewalFound {
  readonly moved: number;
}

const lockWaitMs = 5000;

/** Some milliseconds of a lock; then somebody else may write. */
const cellsAtATime = 250;
const pauseMs = 5;

const certificateOf = (database: DatabaseSync, name: string): Uint8Array | undefined => {
  const [row] = prepareArrays(database, "SELECT certificate FROM sys_certificates WHERE name = ?")(name);
  return row && decodeBytes(row[0], "certificate");
};

const find = async ({ database, access }: UnlockedDatabase, patience: LockPatience): Promise<RenewalFound> => {
  const { fingerprintKey } = access;
  const { present, old, dataKeys } = await withLockPatience(patience, () => ({
    present: certificateOf(database, certificateName),
    old: certificateOf(database, oldCertificateName),
    dataKeys: access.dataKeysFor(writerName),
  }));
  if (present === undefined)
    throw new EndpointError(
      "ObjectNotFound",
      "This site database stores its keys in plain text. There is no certificate to renew.",
    );
  return {
    thumbprint: thumbprintOf(present),
    ...(old === undefined ? {} : { oldThumbprint: thumbprintOf(old) }),
    counts: await countCells(database, { dataKeys, fingerprintKey }, patience),
  };
};

/** Keys move only where they are those of the record. */
const checkRecorded = ({ database, set }: UnlockedDatabase, recorded: SiteState | undefined): void => {
  const verdict = judgeSet(set, prepareSealed(database)(), recorded);
  if (verdict.kind === "refused")
    throw unavailable(
      `The certificate was not renewed. ${refusalInWords(verdict.refusal)} ${afterRefusal}`,
      verdict.refusal.reason,
    );
};

/** Shorter ones were made by SQL Server 2014 and older. */
const leastKeyBits = 2048;

const checkIsStrong = (certificate: Uint8Array): void => {
  const { asymmetricKeyType, asymmetricKeyDetails } = parseCertificate(certificate).publicKey;
  if (asymmetricKeyType !== "rsa" || (asymmetricKeyDetails?.modulusLength ?? 0) < leastKeyBits)
    throw new EndpointError(
      "InvalidArgument",
      `The certificate of this backup has no RSA key of ${leastKeyBits} bits or more. Choose another name, and a new one is made.`,
    );
};

/** The new certificate, out of its backup, which is made where it is not there. */
const takeNew = async (
  { backupDirectory }: Renewal,
  request: CertificateRestoreRequest,
  signal: AbortSignal,
): Promise<OpenedBackup> => {
  if (!(await isThere(backupDirectory, request))) {
    const { certificate, privateKey: pkcs8 } = await createBitLockerCertificate(new Date());
    const bytes = Buffer.from(pkcs8.buffer, pkcs8.byteOffset, pkcs8.byteLength);
    try {
      const privateKey = createPrivateKey({ key: bytes, format: "der", type: "pkcs8" });
      const noted = (): Promise<void> => Promise.resolve();
      await writeOwnBackup({ certificate, privateKey }, request, { backupDirectory, noted }, signal);
    } finally {
      bytes.fill(0);
    }
  }
  const backup = await openOwnBackup(backupDirectory, request);
  checkIsStrong(backup.certificate);
  return backup;
};

/** The old certificate steps aside, and the new one opens what it opened. Inside a transaction. */
const placeBeside = ({ database, access, deriveKey }: UnlockedDatabase, backup: OpenedBackup): void => {
  const keys = { deriveKey };
  const dataKeys = access.dataKeysFor(writerName);
  database.prepare("UPDATE sys_certificates SET name = ? WHERE name = ?").run(oldCertificateName, certificateName);
  const privateKey = exportKey(backup.privateKey);
  try {
    const row = placeRow(database, keys, { certificate: backup.certificate, privateKey }, Date.now());
    for (const dataKey of dataKeys.toReversed()) addOpener(database, keys, row, dataKey);
    addDataKey(database, keys, row);
  } finally {
    privateKey.fill(0);
  }
  access.ownedCertificate();
  for (const grantee of grantees)
    if (access.dataKeysFor(grantee).length !== dataKeys.length + 1)
      throw unavailable("The certificate was not renewed; the log says why.", `${grantee} can't open every data key`);
};

const changedMeanwhile = (): EndpointError =>
  unavailable("The certificate was changed meanwhile. Nothing was done; try again.", "another certificate is there");

interface Moved {
  readonly last: number;
  readonly moved: number;
}

/** Moves the cells of one page. Inside a transaction. @returns undefined behind the last page */
const movePage = (
  rows: readonly RawRow[],
  kind: CellKind,
  opener: CellOpener,
  update: (id: number, cell: Uint8Array) => void,
): Moved | undefined => {
  const [newest] = opener.dataKeys;
  const end = rows.at(-1);
  if (end === undefined || newest === undefined) return undefined;
  let moved = 0;
  for (const row of rows) {
    if (!(row[2] instanceof Uint8Array)) continue; // plain text
    const opened = openImported(opener, kind, row);
    if (opened === undefined) continue;
    const { address, plain, by } = opened;
    if (by > 0) {
      update(address.rowId, sealCell(newest, address, plain));
      moved += 1;
    }
    plain.fill(0);
  }
  return { last: decodeInteger(end[0], "Id"), moved };
};

/** Moves every cell that an older data key opens to the newest; ends soon after `signal`, and goes on where it ended. */
const moveCells = async (
  { database, access }: UnlockedDatabase,
  onProgress: (cells: number) => void,
  patience: LockPatience,
): Promise<number> => {
  let moved = 0;
  let looked = 0;
  for (const kind of Object.values(cellKinds)) {
    const page: ArrayQuery = prepareArrays(database, kind.page);
    const { table, column } = kind.place;
    const update = database.prepare(`UPDATE ${table} SET ${column} = ? WHERE Id = ?`);
    for (let after = Number.MIN_SAFE_INTEGER; ;) {
      const from = after;
      const step = await withLockPatience(patience, () =>
        writeTransaction(database, () => {
          const rows = page(from, cellsAtATime);
          looked += rows.length;
          // Asked in each transaction: a right that was taken away, or another certificate, ends it.
          const opener = { dataKeys: access.dataKeysFor(writerName), fingerprintKey: access.fingerprintKey };
          return movePage(rows, kind, opener, (id, cell) => update.run(cell, id));
        }),
      );
      if (step === undefined) break;
      after = step.last;
      moved += step.moved;
      onProgress(looked);
      await delay(pauseMs);
    }
  }
  return moved;
};

const renewIn = async (
  unlocked: UnlockedDatabase,
  asked: RenewCertificate,
  patience: LockPatience,
): Promise<RenewalDone> => {
  const { database } = unlocked;
  await withLockPatience(patience, () => checkRecorded(unlocked, asked.recorded));
  const found = await find(unlocked, patience);
  asked.onFound(found);
  let { thumbprint, oldThumbprint } = found;
  const { closed } = found.counts;
  if (oldThumbprint === undefined) {
    const backup = await takeNew(asked, await asked.confirm(found), patience.signal);
    oldThumbprint = thumbprint;
    thumbprint = thumbprintOf(backup.certificate);
    if (thumbprint === oldThumbprint)
      throw new EndpointError(
        "ResourceExists",
        "This is the backup of the certificate that is there. Choose another name for the new one.",
      );
    const event = { step: "began", thumbprint, oldThumbprint, moved: 0, closed } as const;
    await longTransaction(database, patience, async () => {
      const present = certificateOf(database, certificateName);
      if (present === undefined || thumbprintOf(present) !== event.oldThumbprint) throw changedMeanwhile();
      if (certificateOf(database, oldCertificateName) !== undefined) throw changedMeanwhile();
      placeBeside(unlocked, backup);
      await asked.record(event);
    });
  } else if (found.counts.older > 0)
    await asked.record({ step: "resumed", thumbprint, oldThumbprint, moved: 0, closed });
  const hasMoved = found.oldThumbprint !== undefined && found.counts.older === 0;
  const moved = hasMoved ? 0 : await moveCells(unlocked, asked.onProgress, patience);
  const { counts } = await find(unlocked, patience);
  if (moved > 0 || found.oldThumbprint === undefined)
    await asked.record({ step: "moved", thumbprint, oldThumbprint, moved, closed: counts.closed });
  return { thumbprint, oldThumbprint, counts, moved };
};

/** Opens the database, and closes it whatever happens. */
const withUnlocked = async <Result>(
  { file, masterKey, backupDirectory }: Pick<Renewal, "file" | "masterKey" | "backupDirectory">,
  signal: AbortSignal,
  work: (unlocked: UnlockedDatabase, patience: LockPatience) => Promise<Result>,
): Promise<Result> => {
  await checkIsOutside(backupDirectory, dirname(file));
  const patience = { signal, lockWaitMs };
  const unlocked = await unlockDatabase(file, masterKey, patience);
  try {
    return await work(unlocked, patience);
  } catch (error) {
    throw asEndpointError(error);
  } finally {
    unlocked.close();
  }
};

/** What a renewal would find. Changes nothing. */
export const findRenewal = (
  site: Pick<Renewal, "file" | "masterKey" | "backupDirectory">,
  signal: AbortSignal,
): Promise<RenewalFound> => withUnlocked(site, signal, find);

/**
 * Renews the certificate, or goes on with a renewal that ended early. Others may read, mark and import meanwhile.
 *
 * @throws EndpointError; what has moved until then opens, and so does what has not
 */
export const renewCertificate = (asked: RenewCertificate, signal: AbortSignal): Promise<RenewalDone> =>
  withUnlocked(asked, signal, (unlocked, patience) => renewIn(unlocked, asked, patience));

const notYet = (what: string): EndpointError =>
  new EndpointError("ResourceExists", `${what} The old certificate was not retired.`);

/** The newest data key as it is stored; that it is ours, `dataKeysFor` has checked. */
const newestWrapped = (database: DatabaseSync): Uint8Array => {
  const [row] = prepareArrays(
    database,
    `SELECT d.wrapped_key FROM data_keys d JOIN sys_certificates c ON c.certificate_id = d.certificate_id
      WHERE c.name = ? ORDER BY d.data_key_id DESC LIMIT 1`,
  )(certificateName);
  return decodeBytes(row?.[0], "wrapped_key");
};

/** Takes the old certificate and every data key but the newest out of the file. Inside a transaction. */
const takeOut = ({ database, access }: UnlockedDatabase, newest: KeyObject, backup: OpenedBackup): void => {
  const present = certificateOf(database, certificateName);
  if (present === undefined || !Buffer.from(present).equals(backup.certificate)) throw changedMeanwhile();
  if (access.dataKeysFor(writerName)[0]?.equals(newest) !== true) throw changedMeanwhile();
  const wrapped = newestWrapped(database);
  if (!unwrapDataKey(backup.privateKey, wrapped).equals(newest)) throw changedMeanwhile();
  removeCertificate(database, oldCertificateName);
  database
    .prepare(
      "DELETE FROM data_keys WHERE wrapped_key <> ? OR certificate_id <> (SELECT certificate_id FROM sys_certificates WHERE name = ?)",
    )
    .run(wrapped, certificateName);
  access.ownedCertificate();
  for (const grantee of grantees) access.dataKeysFor(grantee);
};

const retireIn = async (unlocked: UnlockedDatabase, asked: Renewal, patience: LockPatience): Promise<RenewalFound> => {
  const { database, access } = unlocked;
  await withLockPatience(patience, () => checkRecorded(unlocked, asked.recorded));
  const found = await find(unlocked, patience);
  const { thumbprint, oldThumbprint, counts } = found;
  if (oldThumbprint === undefined)
    throw new EndpointError("ObjectNotFound", "No old certificate is there: nothing is to be retired.");
  if (counts.older > 0)
    throw notYet(`${counts.older} encrypted cells have not moved yet. Run pep renew-cert again, without --retire-old.`);
  if (counts.closed > 0)
    throw notYet(`${counts.closed} encrypted cells open with no certificate: pep doctor names the first.`);
  const backup = await openOwnBackup(asked.backupDirectory, await asked.confirm(found));
  if (thumbprintOf(backup.certificate) !== thumbprint)
    throw notYet("This is not a backup of the new certificate. Run backup-cert in a session, and name that backup.");
  const newest = await withLockPatience(patience, () => access.dataKeysFor(writerName)[0]);
  if (newest === undefined) throw changedMeanwhile();
  // Every cell again, with nothing but what stays.
  const left = await countCells(database, { dataKeys: [newest], fingerprintKey: access.fingerprintKey }, patience);
  if (left.closed > 0) throw notYet(`${left.closed} encrypted cells do not open with the new certificate.`);
  // What is taken out is overwritten in the file, and not only unlinked.
  database.exec("PRAGMA secure_delete = ON");
  await longTransaction(database, patience, async () => {
    takeOut(unlocked, newest, backup);
    await asked.record({ step: "retired", thumbprint, oldThumbprint, moved: 0, closed: 0 });
  });
  try {
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch (error) {
    if (!isLockFailure(error)) throw error; // the server's next one
  }
  return { thumbprint, counts: left };
};

/** Takes the old certificate out, where the new one and its backup open every cell. */
export const retireCertificate = (asked: Renewal, signal: AbortSignal): Promise<RenewalFound> =>
  withUnlocked(asked, signal, (unlocked, patience) => retireIn(unlocked, asked, patience));
