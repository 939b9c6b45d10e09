import { hash } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { EndpointError } from "../../errors.ts";
import { revealSecret } from "../../secret.ts";
import { isCanonicalGuid } from "../../model/guid.ts";
import { canonicalRecoveryPassword } from "../../model/recovery-password.ts";
import type { KeyProtector, RecoveryRecord, SiteRecord } from "../recovery-record.ts";
import { cellKinds } from "./cell-kinds.ts";
import type { CellKind } from "./cell-kinds.ts";
import { fingerprint, sealCell } from "./cells.ts";
import type { CellAddress } from "./cells.ts";
import { foldComputerName } from "../../model/computer-name.ts";
import { decodeInteger } from "./columns.ts";
import { prepareArrays } from "./connection.ts";
import { createRowIds } from "./row-ids.ts";
import type { RowIds } from "./row-ids.ts";
import { externalKeyKinds, protectorKinds, volumeTypeIds } from "./schema.ts";

/*
 * The first half of an import: every record of a file, checked and encrypted, into temporary tables of this connection.
 * Nothing here locks the site database (save a row id block now and then), so the server goes on marking keys meanwhile.
 */

const stagingSql = `
CREATE TEMP TABLE StagedMachines (
  MachineRow INTEGER PRIMARY KEY, NameFolded TEXT NOT NULL UNIQUE, Name TEXT NOT NULL, MachineId INTEGER
) STRICT;
CREATE TEMP TABLE StagedVolumes (VolumeGuid TEXT PRIMARY KEY, VolumeTypeId INTEGER NOT NULL) STRICT, WITHOUT ROWID;
-- VolumeGuid: the first volume that the file names for the key. KeyRow becomes the row id of a new key.
CREATE TEMP TABLE StagedKeys (
  KeyRow INTEGER PRIMARY KEY, KeyGuid TEXT NOT NULL UNIQUE, Line INTEGER NOT NULL, Kind INTEGER NOT NULL,
  Cell ANY, Fingerprint BLOB, FileName TEXT, Thumbprint TEXT,
  LastUpdateTime INTEGER NOT NULL, TimeGiven INTEGER NOT NULL,
  VolumeGuid TEXT, DerivedGuid TEXT NOT NULL, VolumeTypeId INTEGER NOT NULL
) STRICT;
-- OtherVolumeGuid: a volume named for the key that is not the key's first.
CREATE TEMP TABLE StagedLinks (KeyRow INTEGER NOT NULL, MachineRow INTEGER NOT NULL, OtherVolumeGuid TEXT) STRICT;
CREATE TEMP TABLE StagedPackages (
  RowId INTEGER NOT NULL, KeyRow INTEGER NOT NULL, Fingerprint BLOB NOT NULL, Cell ANY NOT NULL,
  LastUpdateTime INTEGER NOT NULL, PRIMARY KEY (KeyRow, Fingerprint)
) STRICT, WITHOUT ROWID;
CREATE TEMP TABLE StagedTpm (
  RowId INTEGER NOT NULL, MachineRow INTEGER NOT NULL, Fingerprint BLOB NOT NULL, Cell ANY NOT NULL,
  LastUpdateTime INTEGER NOT NULL, PRIMARY KEY (MachineRow, Fingerprint)
) STRICT, WITHOUT ROWID;
-- Where each staged key stands in the site database; filled by the merge.
CREATE TEMP TABLE Placed (
  KeyRow INTEGER PRIMARY KEY, KeyId INTEGER NOT NULL, VolumeId INTEGER NOT NULL, IsNew INTEGER NOT NULL
) STRICT;
`;

/** A volume for a key whose recovery data names none: the same for the same key, so a second import finds it again. */
const derivedVolumeGuid = (keyId: string): string => {
  const hex = hash("sha256", `pep volume of key protector ${keyId}`, "hex").toUpperCase();
  // Version 8, "custom" (RFC 9562 §5.8): it can't be mistaken for, or collide with, a GUID that Windows made (version 4).
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
};

const longestPackage = 7000;

const invalid = (record: SiteRecord, what: string): EndpointError =>
  new EndpointError("InvalidArgument", `Line ${record.line}: ${what}`);

/** The importer's decoders have checked this already; the table relies on it, so it is not taken on trust. */
const checkRecord = (record: RecoveryRecord): void => {
  if (!isCanonicalGuid(record.protector.keyId)) throw invalid(record, "the key id is not a GUID.");
  if (record.volumeId !== undefined && !isCanonicalGuid(record.volumeId))
    throw invalid(record, "the volume id is not a GUID.");
  if (record.recoveryPackage !== undefined && record.recoveryPackage.length > longestPackage)
    throw invalid(record, `the recovery package is longer than ${longestPackage} bytes.`);
};

const passwordOf = (record: RecoveryRecord): string | undefined => {
  if (record.protector.kind !== "NumericalPassword") return undefined;
  const text = canonicalRecoveryPassword(revealSecret(record.protector.recoveryPassword));
  if (text === undefined) throw invalid(record, "the recovery password is not well-formed.");
  return text;
};

const kindOf = (protector: KeyProtector): number => {
  if (protector.kind !== "ExternalKey" || protector.category === undefined) return protectorKinds[protector.kind];
  return protector.category === "Managed" ? protectorKinds.ManagedExternalKey : protectorKinds.RecoveryExternalKey;
};

/** Whether two records can be of one protector: of an external key's category one may say more than the other. */
const isSameKind = (one: unknown, other: unknown): boolean =>
  one === other || (externalKeyKinds.includes(one) && externalKeyKinds.includes(other));

const timeOf = (record: SiteRecord): number | undefined => {
  if (record.lastUpdateTime === undefined) return undefined;
  const time = Date.parse(record.lastUpdateTime);
  if (Number.isNaN(time)) throw invalid(record, "the time is not a time.");
  return time;
};

/** The same message for a conflict inside the file and with the database; names the key, never a password. */
export const conflictOf = (keyId: string, line: number): EndpointError =>
  new EndpointError(
    "ResourceExists",
    `Line ${line}: key ${keyId} is known already with another recovery password. Nothing of this file was imported.`,
  );

export interface StagingParts {
  readonly database: DatabaseSync;
  /** Undefined: this database stores plain text. */
  readonly dataKey: KeyObject | undefined;
  readonly fingerprintKey: KeyObject;
  /** LastUpdateTime of records that bring none: when they were imported. */
  readonly importedAt: number;
}

/** How a record's secret is stored. */
interface Sealing {
  readonly rowIds: RowIds;
  /** Encrypted for its place, or as a text where this database stores plain text. */
  readonly seal: (address: CellAddress, plain: Buffer, asText: BufferEncoding) => Uint8Array | string;
  readonly fingerprintKey: KeyObject;
}

interface StagedKey {
  readonly keyRow: number;
  /** The first volume named for the key so far. */
  readonly firstVolumeGuid: unknown;
}

/** Puts a record's key in place, or completes the one that is there. */
const prepareKeys = (
  { database, importedAt }: StagingParts,
  { rowIds, seal, fingerprintKey }: Sealing,
): ((record: RecoveryRecord, volumeGuid: string | null) => StagedKey) => {
  const addKey = database.prepare(
    `INSERT INTO temp.StagedKeys (KeyRow, KeyGuid, Line, Kind, Cell, Fingerprint, FileName, Thumbprint, LastUpdateTime,
       TimeGiven, VolumeGuid, DerivedGuid, VolumeTypeId) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (KeyGuid) DO NOTHING`,
  );
  const findKey = prepareArrays(
    database,
    "SELECT KeyRow, Kind, Fingerprint, VolumeGuid FROM temp.StagedKeys WHERE KeyGuid = ?",
  );
  const completeKey = database.prepare(
    `UPDATE temp.StagedKeys SET Kind = iif(Kind = ${protectorKinds.ExternalKey}, ?, Kind), VolumeGuid = coalesce(VolumeGuid, ?), VolumeTypeId = max(VolumeTypeId, ?),
       FileName = coalesce(FileName, ?), Thumbprint = coalesce(Thumbprint, ?),
       LastUpdateTime = iif(TimeGiven = 0 AND ? = 1, ?, LastUpdateTime), TimeGiven = max(TimeGiven, ?)
      WHERE KeyRow = ?`,
  );
  return (record, volumeGuid) => {
    const { protector } = record;
    const { keyId } = protector;
    const text = passwordOf(record);
    const { place, marked, encoding } = cellKinds.recoveryKey;
    const plain = text === undefined ? undefined : Buffer.from(text, encoding);
    try {
      const mark = plain === undefined ? null : fingerprint(fingerprintKey, marked(keyId), plain);
      const fileName = protector.kind === "ExternalKey" ? (protector.fileName ?? null) : null;
      const thumbprint = protector.kind === "DataRecoveryAgent" ? (protector.certificateThumbprint ?? null) : null;
      const kind = kindOf(protector);
      const type = volumeTypeIds[record.volumeType];
      const time = timeOf(record);
      const given = Number(time !== undefined);
      const lastUpdateTime = time ?? importedAt;
      const keyRow = rowIds.next();
      const address = { ...place, rowId: keyRow, subject: keyId };
      const cell = plain === undefined ? null : seal(address, plain, encoding);
      const values = [keyRow, keyId, record.line, kind, cell, mark, fileName, thumbprint, lastUpdateTime, given];
      const { changes } = addKey.run(...values, volumeGuid, derivedVolumeGuid(keyId), type);
      if (changes === 1) return { keyRow, firstVolumeGuid: volumeGuid };
      const [rawKeyRow, stagedKind, stagedMark, stagedVolumeGuid] = findKey(keyId)[0] ?? [];
      const stagedRow = decodeInteger(rawKeyRow, "KeyRow");
      const same = stagedMark instanceof Uint8Array && mark !== null && Buffer.from(stagedMark).equals(mark);
      if (!isSameKind(stagedKind, kind) || (mark !== null && !same)) throw conflictOf(keyId, record.line);
      completeKey.run(kind, volumeGuid, type, fileName, thumbprint, given, lastUpdateTime, given, stagedRow);
      return { keyRow: stagedRow, firstVolumeGuid: stagedVolumeGuid ?? volumeGuid };
    } finally {
      plain?.fill(0);
    }
  };
};

/** What else of a record is secret, and whose it is. */
interface OtherSecret {
  /** The key's or the computer's row. */
  readonly ownerRow: number;
  readonly subject: string;
  /** Zeroed. */
  readonly plain: Buffer;
  readonly lastUpdateTime: number;
}

/** Puts recovery packages, or TPM password hashes, in place. */
const prepareOthers = (
  database: DatabaseSync,
  { rowIds, seal, fingerprintKey }: Sealing,
  { place, marked, encoding }: CellKind,
  [table, owner]: readonly ["StagedPackages", "KeyRow"] | readonly ["StagedTpm", "MachineRow"],
): ((secret: OtherSecret) => void) => {
  const add = database.prepare(
    `INSERT INTO temp.${table} (RowId, ${owner}, Fingerprint, Cell, LastUpdateTime) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT DO NOTHING`,
  );
  return ({ ownerRow, subject, plain, lastUpdateTime }) => {
    const rowId = rowIds.next();
    const cell = seal({ ...place, rowId, subject }, plain, encoding);
    add.run(rowId, ownerRow, fingerprint(fingerprintKey, marked(subject), plain), cell, lastUpdateTime);
    plain.fill(0);
  };
};

interface StagedMachine {
  readonly folded: string;
  readonly row: number;
}

const prepareMachines = (database: DatabaseSync): ((name: string) => StagedMachine) => {
  const insertMachine = prepareArrays(
    database,
    `INSERT INTO temp.StagedMachines (NameFolded, Name) VALUES (?, ?)
     ON CONFLICT (NameFolded) DO UPDATE SET Name = Name RETURNING MachineRow`,
  );
  // Files are mostly grouped by computer, so the last one is remembered.
  let last: StagedMachine | undefined;
  return (name) => {
    const folded = foldComputerName(name);
    if (folded !== last?.folded)
      last = { folded, row: decodeInteger(insertMachine(folded, name)[0]?.[0], "MachineRow") };
    return last;
  };
};

/** Puts one record into the staging tables, which are there. */
const prepareRecords = (parts: StagingParts, rowIds: RowIds): ((record: SiteRecord) => void) => {
  const { database, dataKey, fingerprintKey, importedAt } = parts;
  const sealing: Sealing = {
    rowIds,
    fingerprintKey,
    seal: (address, plain, asText) =>
      dataKey === undefined ? plain.toString(asText) : sealCell(dataKey, address, plain),
  };
  const machineOf = prepareMachines(database);
  const stageKey = prepareKeys(parts, sealing);
  const stagePackage = prepareOthers(database, sealing, cellKinds.recoveryPackage, ["StagedPackages", "KeyRow"]);
  const stageTpm = prepareOthers(database, sealing, cellKinds.tpmPasswordHash, ["StagedTpm", "MachineRow"]);
  const addVolume = database.prepare(
    `INSERT INTO temp.StagedVolumes (VolumeGuid, VolumeTypeId) VALUES (?, ?)
     ON CONFLICT (VolumeGuid) DO UPDATE SET VolumeTypeId = max(VolumeTypeId, excluded.VolumeTypeId)`,
  );
  const addLink = database.prepare(
    "INSERT INTO temp.StagedLinks (KeyRow, MachineRow, OtherVolumeGuid) VALUES (?, ?, ?)",
  );
  const stageHash = ({ tpmPasswordHash }: SiteRecord, machine: StagedMachine, lastUpdateTime: number): void => {
    if (tpmPasswordHash === undefined) return;
    const plain = Buffer.from(revealSecret(tpmPasswordHash), cellKinds.tpmPasswordHash.encoding);
    stageTpm({ ownerRow: machine.row, subject: machine.folded, plain, lastUpdateTime });
  };
  return (record) => {
    if (record.computerName.trim() === "") throw invalid(record, "the computer name is empty.");
    if (!("protector" in record)) {
      stageHash(record, machineOf(record.computerName), timeOf(record) ?? importedAt);
      return;
    }
    checkRecord(record);
    const { keyId } = record.protector;
    const { volumeId, recoveryPackage } = record;
    const lastUpdateTime = timeOf(record) ?? importedAt;
    // Our own export names derived volumes too: read back, they are still no volume of Windows.
    const volumeGuid = volumeId === undefined || volumeId === derivedVolumeGuid(keyId) ? null : volumeId;
    const machine = machineOf(record.computerName);
    if (volumeGuid !== null) addVolume.run(volumeGuid, volumeTypeIds[record.volumeType]);
    const { keyRow, firstVolumeGuid } = stageKey(record, volumeGuid);
    addLink.run(keyRow, machine.row, volumeGuid === firstVolumeGuid ? null : volumeGuid);
    if (recoveryPackage !== undefined)
      stagePackage({ ownerRow: keyRow, subject: keyId, plain: Buffer.from(recoveryPackage), lastUpdateTime });
    stageHash(record, machine, lastUpdateTime);
  };
};

/** A record takes at most a key, a package and a TPM password hash. */
const rowIdsPerRecord = 3;

/**
 * Makes the staging tables and returns what puts a batch of records into them; it throws when one can't be imported.
 * By batches, in a transaction of the temporary tables alone: with one per record SQLite walks all changed pages at each
 * commit, measured 60 s for 100,000 records instead of 6.
 */
export const createStaging = (parts: StagingParts): ((records: readonly SiteRecord[]) => void) => {
  const { database, dataKey } = parts;
  // Temporary tables may spill into an unlinked file elsewhere. Encrypted cells may; plain text must not.
  database.exec(`PRAGMA temp_store = ${dataKey === undefined ? "MEMORY" : "DEFAULT"}`);
  database.exec("PRAGMA temp.cache_size = -131072; PRAGMA main.cache_size = -131072");
  database.exec(stagingSql);
  const rowIds = createRowIds(database);
  const stageRecord = prepareRecords(parts, rowIds);
  return (records) => {
    rowIds.reserve(records.length * rowIdsPerRecord);
    // Deferred, so it locks the temporary database only: no statement in it touches the site database.
    database.exec("BEGIN DEFERRED");
    try {
      for (const record of records) stageRecord(record);
      database.exec("COMMIT");
    } catch (error) {
      database.exec("ROLLBACK");
      throw error;
    }
  };
};

const stagingTables = [
  "StagedMachines",
  "StagedVolumes",
  "StagedKeys",
  "StagedLinks",
  "StagedPackages",
  "StagedTpm",
  "Placed",
  "Touched",
];

/** Takes the staging tables away, whatever state they are in. */
export const dropStaging = (database: DatabaseSync): void => {
  for (const table of stagingTables) database.exec(`DROP TABLE IF EXISTS temp.${table}`);
};
