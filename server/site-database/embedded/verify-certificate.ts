import type { DatabaseSync } from "node:sqlite";
import type { CertificateVerification } from "../../command/site-database.ts";
import { CertificateFindings, judgeBackup, judgeExpiry } from "../certificate-findings.ts";
import { parseCertificate } from "./certificate.ts";
import { decodeInteger, decodeText, decodeTime } from "./columns.ts";
import type { RawRow } from "./columns.ts";
import { prepareArrays } from "./connection.ts";
import type { ArrayQuery } from "./connection.ts";
import { works } from "./failures.ts";
import { ownerName, readerName, writerName } from "./principals.ts";
import type { CertificateAccess } from "./principals.ts";
import { judgeRenewal } from "./judge-renewal.ts";
import { readRecoveryPassword } from "./key-rows.ts";
import { certificateName, protectorKinds } from "./schema.ts";
import { plural } from "../../model/plural.ts";

// Microsoft's script (encrypt-recovery-data, "Verify certificate"), dots in the catalogue's names aside word for word.
// Its weak points are its own and stay: the owner counts as grantor only, class and state are not looked at.
const microsoftSql = `
select count(distinct u.name) from sys_database_principals u
join sys_database_permissions p on p.grantee_principal_id = u.principal_id or p.grantor_principal_id = u.principal_id
join sys_certificates c on c.certificate_id = p.major_id
where u.name in('RecoveryAndHardwareCore', 'RecoveryAndHardwareRead', 'RecoveryAndHardwareWrite') and
c.name = 'BitLockerManagement_CERT' and p.permission_name like 'CONTROL'`;

const sampledKeys = 20;
const plainTextCountedTo = 10_000;

const judgePresence = (findings: CertificateFindings, found: number, plainTextAllowed: boolean): void =>
  findings.required(
    "certificate",
    found === 1,
    `${certificateName} is there, once.`,
    found === 0
      ? `${certificateName} is not there.${plainTextAllowed ? " This database was made to store recovery keys in plain text." : " Restore it from a backup: run restore-cert."}`
      : `${certificateName} is there ${found} times; only one may carry the name.`,
  );

/** @returns the certificate, where its private key opens */
const judgePrivateKey = (
  findings: CertificateFindings,
  protection: unknown,
  access: CertificateAccess,
): Uint8Array | undefined => {
  let certificate: Uint8Array | undefined;
  const opens = works(() => {
    ({ certificate } = access.ownedCertificate());
  });
  findings.required(
    "key-protection",
    protection === "MK" && opens,
    "Its private key is protected by the master key.",
    "Its private key is not protected by the master key, or does not open with it.",
  );
  findings.required(
    "private-key",
    opens,
    "Its private key opens and matches its public key.",
    "Its private key does not open for its owner, or belongs to another certificate. Restore it from a backup: run restore-cert.",
  );
  return certificate;
};

const judgeGrants = (findings: CertificateFindings, access: CertificateAccess): void => {
  for (const [name, grantee] of [
    ["control-read", readerName],
    ["control-write", writerName],
  ] as const)
    findings.required(
      name,
      works(() => access.dataKeyFor(grantee)),
      `${grantee} has CONTROL on the certificate, and its copy of the private key opens the data key.`,
      `${grantee} can't use the certificate: its CONTROL is missing or denied, or its copy of the private key or the ` +
        "data key does not open. Run create-cert, which grants what is missing; if that fails, run restore-cert.",
    );
};

const isReadable = (row: RawRow, access: CertificateAccess): boolean =>
  works(() => {
    const rowId = decodeInteger(row[0], "Keys.Id");
    const keyId = decodeText(row[1], "RecoveryKeyId");
    readRecoveryPassword(access, access.dataKeysFor(readerName), {
      rowId,
      subject: keyId,
      raw: row[2],
      fingerprint: row[3],
    });
  });

const judgeSample = (findings: CertificateFindings, rows: readonly RawRow[], access: CertificateAccess): void => {
  const readable = rows.filter((row) => isReadable(row, access)).length;
  findings.required(
    "sample",
    readable === rows.length,
    rows.length === 0
      ? "No recovery key is stored yet, so none could be tried."
      : `The newest ${plural(readable, "recovery key")} can be read.`,
    `Of the newest ${plural(rows.length, "recovery key")} only ${readable} can be read: the certificate, a ` +
      "permission or the stored keys were changed.",
  );
};

const judgePlainText = (findings: CertificateFindings, count: number, allowed: boolean): void => {
  const many =
    count > plainTextCountedTo ? `More than ${plainTextCountedTo} recovery keys` : plural(count, "recovery key");
  findings.advice(
    "plain-text",
    count === 0,
    "No recovery key is stored in plain text.",
    `${many} stored in plain text${allowed ? ", as this database allows." : ", which this database does not allow: they are refused."}`,
  );
};

export const createCertificateVerifier = (
  database: DatabaseSync,
  access: CertificateAccess,
): ((now: Date) => CertificateVerification) => {
  const microsoftCount = prepareArrays(database, microsoftSql);
  const findCertificates: ArrayQuery = prepareArrays(
    database,
    `SELECT c.pvt_key_encryption_type, u.name, c.pvt_key_last_backup_date
       FROM sys_certificates c LEFT JOIN sys_database_principals u ON u.principal_id = c.principal_id WHERE c.name = ?`,
  );
  const newestKeys = prepareArrays(
    database,
    `SELECT Id, RecoveryKeyId, RecoveryKey, Fingerprint FROM RecoveryAndHardwareCore_Keys
      WHERE ProtectorKind = ${protectorKinds.NumericalPassword} ORDER BY Id DESC LIMIT ${sampledKeys}`,
  );
  // Counted to a bound: this runs on the event loop, and more than that is "many" to a reader anyway.
  const plainTextCount = prepareArrays(
    database,
    `SELECT count(*) FROM (SELECT 1 FROM RecoveryAndHardwareCore_Keys
      WHERE typeof(RecoveryKey) = 'text' LIMIT ${plainTextCountedTo + 1})`,
  );

  return (now) => {
    const findings = new CertificateFindings();
    const microsoftCheck = decodeInteger(microsoftCount()[0]?.[0], "count") >= 3;
    const certificates = findCertificates(certificateName);
    judgePresence(findings, certificates.length, access.plainTextAllowed);
    const [row] = certificates;
    let certificate: Uint8Array | undefined;
    if (row !== undefined) {
      const [protection, owner, backedUpAt] = row;
      findings.required(
        "owner",
        owner === ownerName,
        `Its owner is ${ownerName}.`,
        `Its owner is not ${ownerName}: give it back to that principal.`,
      );
      certificate = judgePrivateKey(findings, protection, access);
      judgeGrants(findings, access);
      judgeSample(findings, newestKeys(), access);
      if (certificate !== undefined)
        judgeExpiry(findings, parseCertificate(certificate).validToDate, now, ", as in SQL Server; plan a new one.");
      judgeRenewal(findings, database, access);
      judgeBackup(findings, backedUpAt === null ? undefined : decodeTime(backedUpAt, "pvt_key_last_backup_date"));
    }
    judgePlainText(findings, decodeInteger(plainTextCount()[0]?.[0], "count"), access.plainTextAllowed);
    return findings.verification(microsoftCheck, certificate);
  };
};
