import { identifiers, quoteBytes, quoteText } from "./quoting.ts";
import { idTypes } from "./site-shape.ts";
import type { SiteShape } from "./site-shape.ts";
import { int, named, text as textParameter } from "./statement.ts";
import type { Statement } from "./statement.ts";
import { openedKeyText, recoveryKeyText, tables } from "./statements.ts";

/*
 * BitLockerManagement_CERT: the scripts of "Encrypt recovery data" (Configuration Manager documentation), and what goes
 * beyond them. Certificate and master-key statements take literals only, so these go out as raw batches; `sensitive` ones
 * hold a password or a key, and nothing the server answers to them is ever repeated.
 */

const { certificate, oldCertificate, owner, reader, writer } = identifiers;

const batch = (name: string, text: string, sensitive: boolean, columns?: readonly string[]): Statement =>
  named({
    name,
    kind: "batch",
    text,
    parameters: {},
    ...(columns === undefined ? {} : { columns }),
    ...(sensitive ? { sensitive: true } : {}),
  });

/** Microsoft's verify script, word for word but for `USE`: the connection is in the site's database already. */
export const verifyAsMicrosoft = (): Statement =>
  batch(
    "verify-certificate-microsoft",
    `declare @count int
select @count = count(distinct u.name) from sys.database_principals u
join sys.database_permissions p on p.grantee_principal_id = u.principal_id or p.grantor_principal_id = u.principal_id
join sys.certificates c on c.certificate_id = p.major_id
where u.name in('RecoveryAndHardwareCore', 'RecoveryAndHardwareRead', 'RecoveryAndHardwareWrite') and
c.name = 'BitLockerManagement_CERT' and p.permission_name like 'CONTROL'
if(@count >= 3) select 1
else select 0`,
    false,
    [""],
  );

/**
 * What Microsoft's script leaves open: the owner, who protects the private key, grants that are grants (class 25, not
 * denied) and whether the master key opens by itself.
 */
export const inspectCertificate = (): Statement =>
  named({
    name: "inspect-certificate",
    kind: "query",
    text: `SELECT USER_NAME(c.principal_id) AS OwnerName, RTRIM(c.pvt_key_encryption_type) AS KeyProtection,
  CONVERT(nvarchar(33), c.expiry_date, 126) AS ExpiresAt,
  CONVERT(nvarchar(33), c.pvt_key_last_backup_date, 126) AS LastBackupAt,
  (SELECT COUNT(*) FROM sys.database_permissions p JOIN sys.database_principals u ON u.principal_id = p.grantee_principal_id
    WHERE p.class = 25 AND p.major_id = c.certificate_id AND p.permission_name = 'CONTROL' AND p.state IN ('G', 'W')
      AND u.name = '${reader}') AS ReadGrants,
  (SELECT COUNT(*) FROM sys.database_permissions p JOIN sys.database_principals u ON u.principal_id = p.grantee_principal_id
    WHERE p.class = 25 AND p.major_id = c.certificate_id AND p.permission_name = 'CONTROL' AND p.state IN ('G', 'W')
      AND u.name = '${writer}') AS WriteGrants,
  (SELECT COUNT(*) FROM sys.symmetric_keys WHERE name = '##MS_DatabaseMasterKey##') AS MasterKeys,
  (SELECT CONVERT(int, is_master_key_encrypted_by_server) FROM sys.databases WHERE database_id = DB_ID()) AS OpensByItself
FROM sys.certificates c WHERE c.name = '${certificate}'`,
    parameters: {},
    columns: [
      "OwnerName",
      "KeyProtection",
      "ExpiresAt",
      "LastBackupAt",
      "ReadGrants",
      "WriteGrants",
      "MasterKeys",
      "OpensByItself",
    ],
  });

/** The newest keys, and how many of them DecryptString opens. All closed: the master key is, or the certificate is another. */
export const sampleKeys = (shape: SiteShape, rows: number): Statement =>
  named({
    name: "sample-keys",
    kind: "query",
    text: `SELECT COUNT(*) AS Sampled, COUNT(Newest.Plain) AS Readable
FROM (SELECT TOP (@sampleRows) ${recoveryKeyText(shape)} AS Plain
  FROM dbo.${tables.keys} Keys ORDER BY Keys.LastUpdateTime DESC) Newest`,
    parameters: { sampleRows: int(rows) },
    columns: ["Sampled", "Readable"],
  });

/** Every key: may new ones be read by the certificate that is there now? Asked before a certificate is kept. */
export const countUnreadableKeys = (shape: SiteShape): Statement =>
  named({
    name: "count-unreadable-keys",
    kind: "query",
    text: `SELECT COUNT_BIG(*) AS Unreadable FROM dbo.${tables.keys} Keys
WHERE Keys.RecoveryKey IS NOT NULL AND ${recoveryKeyText(shape)} IS NULL`,
    parameters: {},
    columns: ["Unreadable"],
  });

/**
 * The same for one page of keys, in the order of their ids: a private RSA operation a key, so one statement for all of them ends at some
 * ten thousand. WITH TIES, so that a page never ends between equals.
 */
export const closedKeysPage = (
  shape: SiteShape,
  { afterKeyId, pageRows }: { readonly afterKeyId: string | undefined; readonly pageRows: number },
): Statement =>
  named({
    name: "count-closed-keys",
    kind: "query",
    text: `SELECT COUNT_BIG(*) AS Tried, COUNT_BIG(CASE WHEN Page.Plain IS NULL THEN 1 END) AS Closed,
  CONVERT(nvarchar(64), MIN(CASE WHEN Page.Plain IS NULL THEN Page.RecoveryKeyId END)) AS FirstClosed,
  CONVERT(nvarchar(64), MAX(Page.RecoveryKeyId)) AS LastKeyId
FROM (SELECT TOP (@pageRows) WITH TIES Keys.RecoveryKeyId, ${recoveryKeyText(shape)} AS Plain
  FROM dbo.${tables.keys} Keys
  WHERE Keys.RecoveryKey IS NOT NULL
    AND (@afterKeyId IS NULL OR Keys.RecoveryKeyId > CONVERT(${idTypes[shape.keyIdType]}, @afterKeyId))
  ORDER BY Keys.RecoveryKeyId) Page OPTION (RECOMPILE)`,
    parameters: { pageRows: int(pageRows), afterKeyId: textParameter(afterKeyId ?? null) },
    columns: ["Tried", "Closed", "FirstClosed", "LastKeyId"],
  });

/** Is a rotation under way? */
export const findOldCertificate = (): Statement =>
  named({
    name: "find-old-certificate",
    kind: "query",
    text: `SELECT COUNT(*) AS OldCertificates FROM sys.certificates WHERE name = '${oldCertificate}'`,
    parameters: {},
    columns: ["OldCertificates"],
  });

/** Encrypted keys that the certificate opens, counted to 1. Plain text opens without one. */
export const countOpenedKeys = (shape: SiteShape): Statement =>
  named({
    name: "count-opened-keys",
    kind: "query",
    text: `SELECT COUNT(*) AS Opened FROM (SELECT TOP (1) 1 AS One FROM dbo.${tables.keys} Keys
  WHERE ${openedKeyText(shape)} IS NOT NULL) First`,
    parameters: {},
    columns: ["Opened"],
  });

/** Is there a master key, and is there a certificate of the name? */
export const findCertificate = (): Statement =>
  named({
    name: "find-certificate",
    kind: "query",
    text: `SELECT DB_NAME() AS DatabaseName,
  (SELECT COUNT(*) FROM sys.symmetric_keys WHERE name = '##MS_DatabaseMasterKey##') AS MasterKeys,
  (SELECT COUNT(*) FROM sys.certificates WHERE name = '${certificate}') AS Certificates`,
    parameters: {},
    columns: ["DatabaseName", "MasterKeys", "Certificates"],
  });

// DDL is part of a transaction, so a certificate that turns out to open nothing is taken back as if it had never been.
export const beginTransaction = (): Statement =>
  batch("begin-transaction", "SET XACT_ABORT ON; BEGIN TRANSACTION", false);
export const commitTransaction = (): Statement => batch("commit-transaction", "COMMIT TRANSACTION", false);
export const rollBackTransaction = (): Statement =>
  batch("roll-back-transaction", "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION", false);

export const createMasterKey = (password: string): Statement =>
  batch(
    "create-master-key",
    `IF NOT EXISTS (SELECT name FROM sys.symmetric_keys WHERE name = '##MS_DatabaseMasterKey##')
BEGIN
    CREATE MASTER KEY ENCRYPTION BY PASSWORD = ${quoteText(password)}
END`,
    true,
  );

const grants = `GRANT CONTROL ON CERTIFICATE ::${certificate} TO ${reader}
    GRANT CONTROL ON CERTIFICATE ::${certificate} TO ${writer}`;

const unlessThere = (statements: string): string =>
  `IF NOT EXISTS (SELECT name from sys.certificates WHERE name = '${certificate}')
BEGIN
    ${statements}

    ${grants}
END`;

/** One permission alone, where the certificate is there and it is missing. */
export const grantControl = (principal: typeof reader | typeof writer): Statement =>
  batch("grant-control", `GRANT CONTROL ON CERTIFICATE ::${certificate} TO ${principal}`, false);

/** @param expiresOn `20391022` */
export const createCertificate = (expiresOn: string): Statement =>
  batch(
    "create-certificate",
    unlessThere(`CREATE CERTIFICATE ${certificate} AUTHORIZATION ${owner}
    WITH SUBJECT = 'BitLocker Management',
    EXPIRY_DATE = ${quoteText(expiresOn)}`),
    false,
  );

export interface ServerFiles {
  /** As SQL Server sees it. */
  readonly certificatePath: string;
  readonly keyPath: string;
}

export const restoreFromFiles = ({ certificatePath, keyPath }: ServerFiles, password: string): Statement =>
  batch(
    "restore-certificate-from-files",
    unlessThere(`CREATE CERTIFICATE ${certificate} AUTHORIZATION ${owner}
    FROM FILE = ${quoteText(certificatePath)}
    WITH PRIVATE KEY ( FILE = ${quoteText(keyPath)},
        DECRYPTION BY PASSWORD = ${quoteText(password)})`),
    true,
  );

/** One PFX file; SQL Server 2022 and later. */
export const restoreFromPfx = (path: string, password: string): Statement =>
  batch(
    "restore-certificate-from-pfx",
    unlessThere(`CREATE CERTIFICATE ${certificate} AUTHORIZATION ${owner}
    FROM FILE = ${quoteText(path)}
    WITH FORMAT = 'PFX', PRIVATE KEY (DECRYPTION BY PASSWORD = ${quoteText(password)})`),
    true,
  );

/** From a copy kept on the client's side. FROM BINARY takes literals only, no variable. */
export const restoreFromBytes = (certificateBytes: Uint8Array, pvk: Uint8Array, password: string): Statement =>
  batch(
    "restore-certificate-from-bytes",
    unlessThere(`CREATE CERTIFICATE ${certificate} AUTHORIZATION ${owner}
    FROM BINARY = ${quoteBytes(certificateBytes)}
    WITH PRIVATE KEY (BINARY = ${quoteBytes(pvk)}, DECRYPTION BY PASSWORD = ${quoteText(password)})`),
    true,
  );

export const backupToFiles = ({ certificatePath, keyPath }: ServerFiles, password: string): Statement =>
  batch(
    "backup-certificate-to-files",
    `BACKUP CERTIFICATE ${certificate} TO FILE = ${quoteText(certificatePath)}
    WITH PRIVATE KEY ( FILE = ${quoteText(keyPath)},
        ENCRYPTION BY PASSWORD = ${quoteText(password)})`,
    true,
  );

/** ALGORITHM is not in the documented syntax, but in use: without it the file would be protected as a PVK is, by RC4 or 3DES. */
export const backupToPfx = (path: string, password: string): Statement =>
  batch(
    "backup-certificate-to-pfx",
    `BACKUP CERTIFICATE ${certificate} TO FILE = ${quoteText(path)}
    WITH FORMAT = 'PFX', PRIVATE KEY (ENCRYPTION BY PASSWORD = ${quoteText(password)}, ALGORITHM = 'AES_256')`,
    true,
  );

/** Reads a file back through the server that wrote it. Needs ADMINISTER BULK OPERATIONS; OPENROWSET takes a literal. */
export const readServerFile = (path: string): Statement =>
  batch(
    "read-backup-file",
    `SELECT f.BulkColumn AS Content FROM OPENROWSET(BULK ${quoteText(path)}, SINGLE_BLOB) AS f`,
    false,
    ["Content"],
  );

/** The certificate (DER), and its private key as a PVK under a password. Each is NULL, not an error, when it can't be had. */
export const exportCertificate = (password: string): Statement =>
  batch(
    "export-certificate",
    `SELECT CERTENCODED(CERT_ID('${certificate}')) AS Certificate,
  CERTPRIVATEKEY(CERT_ID('${certificate}'), ${quoteText(password)}) AS PrivateKey`,
    true,
    ["Certificate", "PrivateKey"],
  );

/** The public part alone. */
export const readCertificate = (): Statement =>
  named({
    name: "read-certificate",
    kind: "query",
    text: `SELECT CERTENCODED(CERT_ID('${certificate}')) AS Certificate`,
    parameters: {},
    columns: ["Certificate"],
  });
