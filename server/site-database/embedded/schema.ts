/**
 * The embedded site database's tables: a MODEL. The names and columns of the RecoveryAndHardwareCore tables are those proven
 * by public scripts that run against real sites; their types, and every table marked "ours", are not Microsoft's.
 */

/** "PEPS": tells `file` and us what kind of SQLite file this is (https://www.sqlite.org/pragma.html#pragma_application_id). */
export const applicationId = 0x50455053;
/** 4: a data key has a check. */
export const schemaVersion = 4;
/** The versions before, which opening the database raises: 3 seals what all rows are, 2 has digests of rows and nothing over all of them. */
export const versionWithoutDataKeyCheck = 3;
const versionWithoutSet = 2;
export const versionWithoutDigests = 1;
export const knownVersions: readonly unknown[] = [
  versionWithoutDigests,
  versionWithoutSet,
  versionWithoutDataKeyCheck,
  schemaVersion,
];

export const masterKeyName = "##MS_DatabaseMasterKey##";
export const certificateName = "BitLockerManagement_CERT";
/** While keys move to a new one, and until it is retired. Microsoft gives the old one this name, too. */
export const oldCertificateName = "BitLockerManagement_CERT_OLD";

/**
 * As the model stores a protector's kind (ours: Microsoft's table holds numerical passwords only). An external key is of three kinds: its
 * data may say of which category it is, and the digest of a row covers its kind.
 */
export const protectorKinds = {
  NumericalPassword: 0,
  ExternalKey: 1,
  DataRecoveryAgent: 2,
  ManagedExternalKey: 3,
  RecoveryExternalKey: 4,
} as const;

export const externalKeyKinds: readonly unknown[] = [
  protectorKinds.ExternalKey,
  protectorKinds.ManagedExternalKey,
  protectorKinds.RecoveryExternalKey,
];

/** MbamVolumeType of the MBAM client: 0 UNKNOWN, 1 OS_DRIVE, 2 FIXED_DATA_DRIVE, 3 REMOVABLE_DATA_DRIVE. */
export const volumeTypeIds = { Unknown: 0, OperatingSystem: 1, FixedData: 2, Removable: 3 } as const;

/** The tables whose cells are encrypted, as the cell's address names them. */
export const cellColumns = {
  recoveryKey: { table: "RecoveryAndHardwareCore_Keys", column: "RecoveryKey" },
  recoveryPackage: { table: "RecoveryAndHardwareCore_Packages", column: "RecoveryPackage" },
  tpmPasswordHash: { table: "RecoveryAndHardwareCore_Tpm", column: "TpmPasswordHash" },
} as const;

// After SQL Server's catalogue views, so that Microsoft's verify script runs on it almost word for word.
const catalogue = `
CREATE TABLE sys_symmetric_keys (
  symmetric_key_id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  key_derivation TEXT NOT NULL,
  key_check BLOB NOT NULL
) STRICT;
CREATE TABLE sys_database_principals (
  principal_id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;
-- private_key is the owner's copy: an owner has no permission row in SQL Server either.
CREATE TABLE sys_certificates (
  certificate_id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  principal_id INTEGER NOT NULL,
  pvt_key_encryption_type TEXT NOT NULL,
  certificate BLOB NOT NULL,
  private_key BLOB NOT NULL,
  pvt_key_last_backup_date INTEGER
) STRICT;
CREATE TABLE sys_database_permissions (
  class INTEGER NOT NULL,
  major_id INTEGER NOT NULL,
  grantee_principal_id INTEGER NOT NULL,
  grantor_principal_id INTEGER NOT NULL,
  permission_name TEXT NOT NULL,
  state TEXT NOT NULL,
  private_key BLOB NOT NULL
) STRICT;
-- Ours: the key of the cells, wrapped by the certificate. key_check: see data-key.ts.
CREATE TABLE data_keys (
  data_key_id INTEGER PRIMARY KEY,
  certificate_id INTEGER NOT NULL,
  wrapped_key BLOB NOT NULL,
  key_check BLOB NOT NULL DEFAULT x''
) STRICT;
-- Ours. next_row_id: row ids are reserved before the rows are written, because a cell is encrypted for its row id.
CREATE TABLE site_settings (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  plain_text_allowed INTEGER NOT NULL,
  next_row_id INTEGER NOT NULL
) STRICT;
`;

const recoveryTables = `
CREATE TABLE RecoveryAndHardwareCore_VolumeTypes (
  Id INTEGER PRIMARY KEY,
  TypeName TEXT NOT NULL
) STRICT;
-- NameFolded is ours: SQL Server compares names without case for all letters, SQLite's NOCASE for ASCII only.
CREATE TABLE RecoveryAndHardwareCore_Machines (
  Id INTEGER PRIMARY KEY,
  Name TEXT NOT NULL,
  NameFolded TEXT NOT NULL UNIQUE
) STRICT;
-- Derived is ours: 1 when the volume was made up from a key id because the recovery data named none.
CREATE TABLE RecoveryAndHardwareCore_Volumes (
  Id INTEGER PRIMARY KEY,
  VolumeGuid TEXT NOT NULL UNIQUE,
  VolumeTypeId INTEGER NOT NULL REFERENCES RecoveryAndHardwareCore_VolumeTypes (Id),
  Derived INTEGER NOT NULL
) STRICT;
-- RowDigest (ours, here and in _Keys): keyed, of what ties a key to its computer, see row-digests.ts. NOT NULL: SQLite would sort pages
-- of this WITHOUT ROWID table because of a column that may be NULL.
CREATE TABLE RecoveryAndHardwareCore_Machines_Volumes (
  MachineId INTEGER NOT NULL REFERENCES RecoveryAndHardwareCore_Machines (Id),
  VolumeId INTEGER NOT NULL REFERENCES RecoveryAndHardwareCore_Volumes (Id),
  RowDigest BLOB NOT NULL DEFAULT x'',
  PRIMARY KEY (MachineId, VolumeId)
) STRICT, WITHOUT ROWID;
CREATE INDEX RecoveryAndHardwareCore_Machines_Volumes_Volume
  ON RecoveryAndHardwareCore_Machines_Volumes (VolumeId, MachineId);
-- Rows are never deleted or replaced, as in Configuration Manager: this is the key history.
-- RecoveryKey: BLOB is an encrypted cell, TEXT is plain text; NULL for protectors without a password.
-- Fingerprint (ours) tells "same password" from "another password" without decrypting; keyed, so it can't be searched for.
CREATE TABLE RecoveryAndHardwareCore_Keys (
  Id INTEGER PRIMARY KEY,
  VolumeId INTEGER NOT NULL REFERENCES RecoveryAndHardwareCore_Volumes (Id),
  RecoveryKeyId TEXT NOT NULL UNIQUE,
  ProtectorKind INTEGER NOT NULL,
  RecoveryKey ANY,
  Fingerprint BLOB,
  FileName TEXT,
  CertificateThumbprint TEXT,
  LastUpdateTime INTEGER NOT NULL,
  LastUpdateTimeGiven INTEGER NOT NULL,
  Disclosed INTEGER NOT NULL DEFAULT 0,
  RowDigest BLOB NOT NULL DEFAULT x''
) STRICT;
CREATE INDEX RecoveryAndHardwareCore_Keys_Volume
  ON RecoveryAndHardwareCore_Keys (VolumeId, ProtectorKind, LastUpdateTime DESC, Id DESC);
CREATE INDEX RecoveryAndHardwareCore_Keys_PlainText
  ON RecoveryAndHardwareCore_Keys (Id) WHERE typeof(RecoveryKey) = 'text';
-- Ours: a key belongs to one volume; what other recovery data said about it is kept here.
CREATE TABLE RecoveryAndHardwareCore_Keys_OtherVolumes (
  KeyId INTEGER NOT NULL REFERENCES RecoveryAndHardwareCore_Keys (Id),
  VolumeId INTEGER NOT NULL REFERENCES RecoveryAndHardwareCore_Volumes (Id),
  PRIMARY KEY (KeyId, VolumeId)
) STRICT, WITHOUT ROWID;
CREATE INDEX RecoveryAndHardwareCore_Keys_OtherVolumes_Volume
  ON RecoveryAndHardwareCore_Keys_OtherVolumes (VolumeId);
CREATE TABLE RecoveryAndHardwareCore_Packages (
  Id INTEGER PRIMARY KEY,
  KeyId INTEGER NOT NULL REFERENCES RecoveryAndHardwareCore_Keys (Id),
  RecoveryPackage ANY NOT NULL,
  Fingerprint BLOB NOT NULL,
  LastUpdateTime INTEGER NOT NULL,
  UNIQUE (KeyId, Fingerprint)
) STRICT;
CREATE TABLE RecoveryAndHardwareCore_Tpm (
  Id INTEGER PRIMARY KEY,
  MachineId INTEGER NOT NULL REFERENCES RecoveryAndHardwareCore_Machines (Id),
  TpmPasswordHash ANY NOT NULL,
  Fingerprint BLOB NOT NULL,
  LastUpdateTime INTEGER NOT NULL,
  UNIQUE (MachineId, Fingerprint)
) STRICT;
-- Ours: where Configuration Manager keeps the reason of GetRecoveryKey is not public.
CREATE TABLE RecoveryAndHardwareCore_Disclosures (
  Id INTEGER PRIMARY KEY,
  KeyId INTEGER NOT NULL REFERENCES RecoveryAndHardwareCore_Keys (Id),
  Reason TEXT NOT NULL,
  DisclosedAt INTEGER NOT NULL
) STRICT;
CREATE INDEX RecoveryAndHardwareCore_Disclosures_Key ON RecoveryAndHardwareCore_Disclosures (KeyId);
INSERT INTO RecoveryAndHardwareCore_VolumeTypes (Id, TypeName)
  VALUES (0, 'Unknown'), (1, 'OperatingSystem'), (2, 'FixedData'), (3, 'Removable');
`;

/** Ours: what all rows with a digest are together, row-set.ts. */
export const rowSetTable = `
CREATE TABLE row_set (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  state BLOB NOT NULL
) STRICT;
`;

export const createSchemaSql = `${catalogue}${recoveryTables}${rowSetTable}
PRAGMA application_id = ${applicationId};
PRAGMA user_version = ${schemaVersion};
`;
