import type { DatabaseSync } from "node:sqlite";
import { decodeInteger, decodeText } from "./columns.ts";
import { prepareArrays, writeTransaction } from "./connection.ts";
import type { SiteState } from "../../audit/site-events.ts";
import { UnreadableCell } from "./failures.ts";
import { judgeSet } from "./judge-set.ts";
import { keyFields, linkFields } from "./row-digests.ts";
import { prepareSealed, writeSealed } from "./row-set.ts";
import type { RowSet } from "./row-set.ts";
import { setKeyDigest, setLinkDigest } from "./digest-rows.ts";
import { inPortions } from "./portions.ts";
import { noteSetChanges, sumUpSetChanges } from "./set-changes.ts";
import { externalKeyKinds, protectorKinds } from "./schema.ts";
import { conflictOf } from "./stage-records.ts";

/*
 * The second half of an import: one short transaction that moves the staged records into the site database.
 * Every statement is a set operation of SQLite, nothing is encrypted or decoded here, rows get their digests by it: the write lock is held all the while,
 * and the server's own marks wait for it.
 */

const machines = "RecoveryAndHardwareCore_Machines";
const links = "RecoveryAndHardwareCore_Machines_Volumes";
const volumes = "RecoveryAndHardwareCore_Volumes";
const keys = "RecoveryAndHardwareCore_Keys";

// Which staged keys are known already, and where they stand.
const placeKnownSql = `
INSERT INTO temp.Placed (KeyRow, KeyId, VolumeId, IsNew)
SELECT s.KeyRow, k.Id, k.VolumeId, 0 FROM temp.StagedKeys s CROSS JOIN ${keys} k ON k.RecoveryKeyId = s.KeyGuid`;

const isExternalKey = (kind: string): string => `${kind} IN (${externalKeyKinds.join(", ")})`;

// The first line that says something else than what is stored. Compared by fingerprint: equal text, equal fingerprint.
const conflictSql = `
SELECT s.KeyGuid, s.Line FROM temp.Placed p
  CROSS JOIN temp.StagedKeys s ON s.KeyRow = p.KeyRow CROSS JOIN ${keys} k ON k.Id = p.KeyId
 WHERE (k.ProtectorKind <> s.Kind AND NOT (${isExternalKey("k.ProtectorKind")} AND ${isExternalKey("s.Kind")})) OR k.Fingerprint IS NOT s.Fingerprint ORDER BY s.Line LIMIT 1`;

/** A computer's name that is a GUID: Microsoft Graph names a device by its id alone. */
const isDeviceId = (name: string): string =>
  `${name} GLOB '${[8, 4, 4, 4, 12].map((digits) => "[0-9A-Fa-f]".repeat(digits)).join("-")}'`;

/** A statement of which the digests' functions are a part. */
interface ByPortions {
  /** A table and its integer key, of which two parameters bound the portion. */
  readonly over: readonly [table: string, key: string];
  readonly sql: string;
}

// In order. Each may rely on those before it.
const mergeSql: readonly (string | ByPortions)[] = [
  // Computers, each in the spelling that came first.
  `INSERT INTO ${machines} (Name, NameFolded) SELECT Name, NameFolded FROM temp.StagedMachines WHERE true
   ON CONFLICT (NameFolded) DO NOTHING`,
  `UPDATE temp.StagedMachines SET MachineId =
    (SELECT m.Id FROM ${machines} m WHERE m.NameFolded = StagedMachines.NameFolded)`,

  // Volumes that the file names. One whose type was unknown learns it.
  `INSERT INTO ${volumes} (VolumeGuid, VolumeTypeId, Derived)
   SELECT VolumeGuid, VolumeTypeId, 0 FROM temp.StagedVolumes WHERE true
   ON CONFLICT (VolumeGuid) DO UPDATE SET VolumeTypeId = excluded.VolumeTypeId
     WHERE VolumeTypeId = 0 AND excluded.VolumeTypeId <> 0`,
  // Volumes made up for new keys whose volume the file doesn't name.
  `INSERT INTO ${volumes} (VolumeGuid, VolumeTypeId, Derived)
   SELECT DerivedGuid, VolumeTypeId, 1 FROM temp.StagedKeys
    WHERE VolumeGuid IS NULL AND KeyRow NOT IN (SELECT KeyRow FROM temp.Placed)`,

  // New keys. A known one stays as it is: nothing is ever overwritten.
  `INSERT INTO temp.Placed (KeyRow, KeyId, VolumeId, IsNew)
   SELECT s.KeyRow, s.KeyRow, v.Id, 1
     FROM temp.StagedKeys s CROSS JOIN ${volumes} v ON v.VolumeGuid = coalesce(s.VolumeGuid, s.DerivedGuid)
    WHERE s.KeyRow NOT IN (SELECT KeyRow FROM temp.Placed)`,
  {
    over: ["temp.Placed", "KeyRow"],
    sql: `INSERT INTO ${keys} (Id, VolumeId, RecoveryKeyId, ProtectorKind, RecoveryKey, Fingerprint, FileName,
      CertificateThumbprint, LastUpdateTime, LastUpdateTimeGiven, RowDigest)
   SELECT s.KeyRow, p.VolumeId, s.KeyGuid, s.Kind, s.Cell, s.Fingerprint, s.FileName, s.Thumbprint, s.LastUpdateTime, s.TimeGiven,
      key_digest(s.KeyRow, s.KeyGuid, p.VolumeId, s.Kind, s.LastUpdateTime, s.TimeGiven)
     FROM temp.Placed p CROSS JOIN temp.StagedKeys s ON s.KeyRow = p.KeyRow
    WHERE p.IsNew = 1 AND p.KeyRow > ? AND p.KeyRow <= ?`,
  },

  // Known keys under a made-up volume, of which the file names the real one: computers and key move there.
  `CREATE TEMP TABLE Moves AS
   SELECT p.KeyId AS KeyId, made.Id AS FromId, real.Id AS ToId, made.VolumeTypeId AS VolumeTypeId
     FROM temp.Placed p CROSS JOIN temp.StagedKeys s ON s.KeyRow = p.KeyRow
     CROSS JOIN ${volumes} made ON made.Id = p.VolumeId CROSS JOIN ${volumes} real ON real.VolumeGuid = s.VolumeGuid
    WHERE p.IsNew = 0 AND made.Derived = 1 AND real.Id <> made.Id`,
  `INSERT INTO ${links} (MachineId, VolumeId)
   SELECT mv.MachineId, m.ToId FROM temp.Moves m CROSS JOIN ${links} mv ON mv.VolumeId = m.FromId WHERE true
   ON CONFLICT DO NOTHING`,
  `UPDATE ${volumes} SET VolumeTypeId = m.VolumeTypeId FROM temp.Moves m
    WHERE ${volumes}.Id = m.ToId AND ${volumes}.VolumeTypeId = 0`,
  `UPDATE ${keys} SET VolumeId = m.ToId FROM temp.Moves m WHERE ${keys}.Id = m.KeyId`,
  `UPDATE temp.Placed SET VolumeId = m.ToId FROM temp.Moves m WHERE Placed.IsNew = 0 AND Placed.VolumeId = m.FromId`,
  `DELETE FROM ${links} WHERE VolumeId IN (SELECT FromId FROM temp.Moves)`,
  `DELETE FROM ${volumes} WHERE Id IN (SELECT FromId FROM temp.Moves)`,
  `DROP TABLE temp.Moves`,

  // What a known key lacked and the file brings.
  `UPDATE ${keys} SET LastUpdateTime = s.LastUpdateTime, LastUpdateTimeGiven = 1
     FROM temp.Placed p CROSS JOIN temp.StagedKeys s ON s.KeyRow = p.KeyRow
    WHERE ${keys}.Id = p.KeyId AND p.IsNew = 0 AND s.TimeGiven = 1 AND ${keys}.LastUpdateTimeGiven = 0`,
  `UPDATE ${keys} SET ProtectorKind = s.Kind
     FROM temp.Placed p CROSS JOIN temp.StagedKeys s ON s.KeyRow = p.KeyRow
    WHERE ${keys}.Id = p.KeyId AND p.IsNew = 0 AND ${keys}.ProtectorKind = ${protectorKinds.ExternalKey}
      AND s.Kind <> ${protectorKinds.ExternalKey}`,
  `UPDATE ${keys} SET FileName = coalesce(${keys}.FileName, s.FileName),
      CertificateThumbprint = coalesce(${keys}.CertificateThumbprint, s.Thumbprint)
     FROM temp.Placed p CROSS JOIN temp.StagedKeys s ON s.KeyRow = p.KeyRow
    WHERE ${keys}.Id = p.KeyId AND p.IsNew = 0 AND s.Kind <> 0`,
  `UPDATE ${volumes} SET VolumeTypeId = s.VolumeTypeId
     FROM temp.Placed p CROSS JOIN temp.StagedKeys s ON s.KeyRow = p.KeyRow
    WHERE ${volumes}.Id = p.VolumeId AND p.IsNew = 0 AND s.VolumeGuid IS NULL AND s.VolumeTypeId <> 0
      AND ${volumes}.VolumeTypeId = 0`,

  // Every computer that the file names for a key leads to the key's volume …
  `INSERT INTO ${links} (MachineId, VolumeId)
   SELECT m.MachineId, p.VolumeId FROM temp.StagedLinks l
     CROSS JOIN temp.StagedMachines m ON m.MachineRow = l.MachineRow CROSS JOIN temp.Placed p ON p.KeyRow = l.KeyRow
    WHERE true ON CONFLICT DO NOTHING`,
  // … and to each other volume that the file named for it: in one file two, or the file one and the database another.
  `CREATE TEMP TABLE Others AS
   SELECT l.MachineRow AS MachineRow, p.KeyId AS KeyId, v.Id AS VolumeId
     FROM temp.StagedLinks l CROSS JOIN ${volumes} v ON v.VolumeGuid = l.OtherVolumeGuid
     CROSS JOIN temp.Placed p ON p.KeyRow = l.KeyRow
    WHERE l.OtherVolumeGuid IS NOT NULL AND v.Id <> p.VolumeId
   UNION ALL
   SELECT l.MachineRow, p.KeyId, v.Id
     FROM temp.StagedLinks l CROSS JOIN temp.Placed p ON p.KeyRow = l.KeyRow
     CROSS JOIN temp.StagedKeys s ON s.KeyRow = p.KeyRow CROSS JOIN ${volumes} v ON v.VolumeGuid = s.VolumeGuid
    WHERE p.IsNew = 0 AND v.Id <> p.VolumeId`,
  `INSERT INTO ${links} (MachineId, VolumeId)
   SELECT m.MachineId, o.VolumeId FROM temp.Others o CROSS JOIN temp.StagedMachines m ON m.MachineRow = o.MachineRow
    WHERE true ON CONFLICT DO NOTHING`,
  `INSERT INTO RecoveryAndHardwareCore_Keys_OtherVolumes (KeyId, VolumeId)
   SELECT KeyId, VolumeId FROM temp.Others WHERE true ON CONFLICT DO NOTHING`,
  `DROP TABLE temp.Others`,
  // One computer under its name and under its device id is one computer: the name stays, whichever file came first.
  `DELETE FROM ${links} WHERE VolumeId IN (SELECT VolumeId FROM temp.Placed)
    AND MachineId IN (SELECT Id FROM ${machines} WHERE ${isDeviceId("Name")})
    AND EXISTS (SELECT 1 FROM ${links} named CROSS JOIN ${machines} m ON m.Id = named.MachineId
                 WHERE named.VolumeId = ${links}.VolumeId AND NOT ${isDeviceId("m.Name")})`,

  `INSERT INTO RecoveryAndHardwareCore_Packages (Id, KeyId, RecoveryPackage, Fingerprint, LastUpdateTime)
   SELECT c.RowId, p.KeyId, c.Cell, c.Fingerprint, c.LastUpdateTime
     FROM temp.StagedPackages c CROSS JOIN temp.Placed p ON p.KeyRow = c.KeyRow WHERE true
   ON CONFLICT (KeyId, Fingerprint) DO NOTHING`,
  `INSERT INTO RecoveryAndHardwareCore_Tpm (Id, MachineId, TpmPasswordHash, Fingerprint, LastUpdateTime)
   SELECT t.RowId, m.MachineId, t.Cell, t.Fingerprint, t.LastUpdateTime
     FROM temp.StagedTpm t CROSS JOIN temp.StagedMachines m ON m.MachineRow = t.MachineRow WHERE true
   ON CONFLICT (MachineId, Fingerprint) DO NOTHING`,
];

// What stood there before and this import touches: volumes that it names, and those of the keys that it names.
const touchedSql = `
CREATE TEMP TABLE Touched (VolumeId INTEGER PRIMARY KEY) STRICT;
INSERT INTO temp.Touched SELECT v.Id FROM temp.StagedVolumes s CROSS JOIN ${volumes} v ON v.VolumeGuid = s.VolumeGuid
 UNION SELECT VolumeId FROM temp.Placed`;

// The links of these, and those of the computers that it names.
const knownLinksSql = `
CREATE TEMP TABLE KnownLinks AS
SELECT mv.MachineId, mv.VolumeId FROM temp.Touched t CROSS JOIN ${links} mv ON mv.VolumeId = t.VolumeId
UNION
SELECT mv.MachineId, mv.VolumeId FROM temp.StagedMachines s
  CROSS JOIN ${machines} m ON m.NameFolded = s.NameFolded CROSS JOIN ${links} mv ON mv.MachineId = m.Id`;

// None of it may be changed by somebody without the master key: the digests written below would make the change good.
const wrongRows: readonly ByPortions[] = [
  {
    over: ["temp.Placed", "KeyRow"],
    sql: `SELECT 'key ' || k.RecoveryKeyId FROM temp.Placed p CROSS JOIN ${keys} k ON k.Id = p.KeyId
 WHERE p.KeyRow > ? AND p.KeyRow <= ? AND k.RowDigest IS NOT key_digest(${keyFields}) LIMIT 1`,
  },
  {
    over: ["temp.Touched", "VolumeId"],
    sql: `SELECT 'volume ' || VolumeId FROM temp.Touched
 WHERE VolumeId > ? AND VolumeId <= ? AND VolumeId NOT IN (SELECT VolumeId FROM ${links}) LIMIT 1`,
  },
  {
    over: ["temp.KnownLinks", "rowid"],
    sql: `SELECT 'computer ' || mv.MachineId FROM temp.KnownLinks known
  CROSS JOIN ${links} mv ON mv.MachineId = known.MachineId AND mv.VolumeId = known.VolumeId
  LEFT JOIN ${machines} m ON m.Id = mv.MachineId LEFT JOIN ${volumes} v ON v.Id = mv.VolumeId
 WHERE known.rowid > ? AND known.rowid <= ? AND mv.RowDigest IS NOT link_digest(${linkFields}) LIMIT 1`,
  },
];

const refuseWrongRows = (database: DatabaseSync): void => {
  database.exec(knownLinksSql);
  for (const { over, sql } of wrongRows) {
    const find = prepareArrays(database, sql);
    inPortions(database, ...over, (after, upTo) => {
      const [wrong] = find(after, upTo);
      if (wrong !== undefined)
        throw new UnreadableCell(`a row of ${String(wrong[0])} was changed by somebody without the master key`);
    });
  }
  database.exec("DROP TABLE temp.KnownLinks");
};

// From here on a change of what a digest covers takes the digest away, whichever statement below makes it.
const voidingSql = `
CREATE TEMP TRIGGER VoidKey AFTER UPDATE OF VolumeId, ProtectorKind, LastUpdateTime, LastUpdateTimeGiven ON main.${keys}
  BEGIN UPDATE ${keys} SET RowDigest = x'' WHERE Id = NEW.Id; END;
CREATE TEMP TRIGGER VoidLinks AFTER UPDATE OF VolumeTypeId ON main.${volumes}
  BEGIN UPDATE ${links} SET RowDigest = x'' WHERE VolumeId = NEW.Id; END`;

// A computer without a link has no digest that vouches for its spelling.
const respellSql = `
UPDATE ${machines} SET Name = s.Name FROM temp.StagedMachines s
 WHERE s.NameFolded = ${machines}.NameFolded AND NOT EXISTS (SELECT 1 FROM ${links} mv WHERE mv.MachineId = ${machines}.Id)`;

// New links and changed rows are those without a digest: a known one without was refused above.
const digestSql: readonly (string | ByPortions)[] = [
  {
    over: ["temp.Placed", "KeyRow"],
    sql: `${setKeyDigest}
    WHERE k.Id IN (SELECT KeyId FROM temp.Placed WHERE KeyRow > ? AND KeyRow <= ?) AND k.RowDigest = x''`,
  },
  `INSERT INTO temp.Touched SELECT VolumeId FROM temp.Placed WHERE true
    UNION SELECT v.Id FROM temp.StagedVolumes s CROSS JOIN ${volumes} v ON v.VolumeGuid = s.VolumeGuid
   ON CONFLICT DO NOTHING`,
  {
    over: ["temp.Touched", "VolumeId"],
    sql: `${setLinkDigest}
    WHERE mv.VolumeId IN (SELECT VolumeId FROM temp.Touched WHERE VolumeId > ? AND VolumeId <= ?)
      AND mv.RowDigest = x''`,
  },
  "DROP TABLE temp.Touched",
  "DROP TRIGGER temp.VoidKey",
  "DROP TRIGGER temp.VoidLinks",
];

/** What a merge did. */
export interface Merged {
  /** How many keys are new. */
  readonly added: number;
  /** The state of all rows after it; undefined where nothing changed. */
  readonly written: SiteState | undefined;
}

interface MergeParts {
  readonly database: DatabaseSync;
  readonly set: RowSet;
  /** The state that the record knows: with another one in the file nothing is written. */
  readonly recorded: SiteState;
  /** @throws where what is staged would not open any more */
  readonly checkOpens: () => void;
}

const run = (database: DatabaseSync, step: string | ByPortions): void => {
  if (typeof step === "string") {
    database.exec(step);
    return;
  }
  const statement = database.prepare(step.sql);
  inPortions(database, ...step.over, (after, upTo) => {
    statement.run(after, upTo);
  });
};

/**
 * Moves what is staged into the site database, all or nothing.
 *
 * @returns undefined when the state is not the record's any more: another import was first, or worse
 */
export const mergeStaged = ({ database, set, recorded, checkOpens }: MergeParts): Merged | undefined =>
  writeTransaction(database, () => {
    checkOpens();
    const verdict = judgeSet(set, prepareSealed(database)(), recorded);
    if (verdict.kind !== "recorded") return undefined;
    database.exec(placeKnownSql);
    database.exec(touchedSql);
    refuseWrongRows(database);
    const [conflict] = prepareArrays(database, conflictSql)();
    if (conflict !== undefined)
      throw conflictOf(decodeText(conflict[0], "KeyGuid"), decodeInteger(conflict[1], "Line"));
    noteSetChanges(database);
    for (const step of [voidingSql, respellSql, ...mergeSql, ...digestSql]) run(database, step);
    const [counted] = prepareArrays(database, "SELECT count(*) FROM temp.Placed WHERE IsNew = 1")();
    const state = sumUpSetChanges(database, set.elementKey, verdict.state, recorded.digest);
    if (state !== undefined) writeSealed(database, set.seal(state));
    return { added: decodeInteger(counted?.[0], "count"), written: state && set.shown(state) };
  });
