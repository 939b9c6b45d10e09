import type { DatabaseSync } from "node:sqlite";
import { EndpointError } from "../../errors.ts";
import type { CertificateFinding, CertificateVerification } from "../../command/site-database.ts";
import { parseCertificate } from "./certificate.ts";
import { decodeInteger, decodeText, decodeTime } from "./columns.ts";
import { prepareArrays } from "./connection.ts";
import type { ArrayQuery } from "./connection.ts";
import { UnreadableCell } from "./failures.ts";
import { ownerName, readerName, writerName } from "./principals.ts";
import type { CertificateAccess, Grantee } from "./principals.ts";
import { readRecoveryPassword } from "./key-rows.ts";
import { certificateName, protectorKinds } from "./schema.ts";

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
const soonMs = 90 * 24 * 60 * 60 * 1000;

type Check = (name: string, weight: CertificateFinding["weight"], passed: boolean, finding: string) => void;

/** Did it work? Only the endpoint's own failures count as "no"; anything else is a fault of the database and is thrown. */
const works = (attempt: () => unknown): boolean => {
  try {
    attempt();
    return true;
  } catch (error) {
    if (error instanceof EndpointError || error instanceof UnreadableCell) return false;
    throw error;
  }
};

const plural = (count: number, one: string): string => (count === 1 ? `1 ${one}` : `${count} ${one}s`);

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

  const checkGrant = (check: Check, name: string, grantee: Grantee): void => {
    const passed = works(() => access.dataKeyFor(grantee));
    check(
      name,
      "required",
      passed,
      passed
        ? `${grantee} has CONTROL on the certificate, and its copy of the private key opens the data key.`
        : `${grantee} can't use the certificate: its CONTROL is missing or denied, or its copy of the private key or the ` +
            "data key does not open. Run create-cert, which grants what is missing; if that fails, run restore-cert.",
    );
  };

  const checkSample = (check: Check): void => {
    const rows = newestKeys();
    const readable = rows.filter((row) =>
      works(() => {
        const rowId = decodeInteger(row[0], "Keys.Id");
        const keyId = decodeText(row[1], "RecoveryKeyId");
        readRecoveryPassword(access, access.dataKeyFor(readerName), { rowId, keyId, raw: row[2], fingerprint: row[3] });
      }),
    ).length;
    check(
      "sample",
      "required",
      readable === rows.length,
      rows.length === 0
        ? "No recovery key is stored yet, so none could be tried."
        : readable === rows.length
          ? `The newest ${plural(readable, "recovery key")} can be read.`
          : `Of the newest ${plural(rows.length, "recovery key")} only ${readable} can be read: the certificate, a ` +
            "permission or the stored keys were changed.",
    );
  };

  const checkPlainText = (check: Check): void => {
    const count = decodeInteger(plainTextCount()[0]?.[0], "count");
    const many =
      count > plainTextCountedTo ? `More than ${plainTextCountedTo} recovery keys` : plural(count, "recovery key");
    check(
      "plain-text",
      "advice",
      count === 0,
      count === 0
        ? "No recovery key is stored in plain text."
        : `${many} stored in plain text${access.plainTextAllowed ? ", as this database allows." : ", which this database does not allow: they are refused."}`,
    );
  };

  const checkDates = (check: Check, certificate: Uint8Array, now: Date): void => {
    const expiresAt = parseCertificate(certificate).validToDate;
    const day = expiresAt.toISOString().slice(0, 10);
    const left = expiresAt.getTime() - now.getTime();
    check(
      "expiry",
      "advice",
      left > soonMs,
      left > soonMs
        ? `The certificate is valid until ${day}.`
        : `The certificate ${left > 0 ? "expires" : "expired"} on ${day}. Keys stay readable, as in SQL Server; plan a new one.`,
    );
  };

  return (now) => {
    const findings: CertificateFinding[] = [];
    const check: Check = (name, weight, passed, finding) =>
      void findings.push({ check: name, weight, passed, finding });
    const microsoftCheck = decodeInteger(microsoftCount()[0]?.[0], "count") >= 3;

    const certificates = findCertificates(certificateName);
    check(
      "certificate",
      "required",
      certificates.length === 1,
      certificates.length === 1
        ? `${certificateName} is there, once.`
        : certificates.length === 0
          ? `${certificateName} is not there.${access.plainTextAllowed ? " This database was made to store recovery keys in plain text." : " Restore it from a backup: run restore-cert."}`
          : `${certificateName} is there ${certificates.length} times; only one may carry the name.`,
    );
    const row = certificates[0];
    if (row !== undefined) {
      const owned = row[1] === ownerName;
      check(
        "owner",
        "required",
        owned,
        owned ? `Its owner is ${ownerName}.` : `Its owner is not ${ownerName}: give it back to that principal.`,
      );
      let certificate: Uint8Array | undefined;
      const opens = works(() => {
        ({ certificate } = access.ownedCertificate());
      });
      const protectedByMasterKey = row[0] === "MK" && opens;
      check(
        "key-protection",
        "required",
        protectedByMasterKey,
        protectedByMasterKey
          ? "Its private key is protected by the master key."
          : "Its private key is not protected by the master key, or does not open with it.",
      );
      check(
        "private-key",
        "required",
        opens,
        opens
          ? "Its private key opens and matches its public key."
          : "Its private key does not open for its owner, or belongs to another certificate. Restore it from a backup: run restore-cert.",
      );
      checkGrant(check, "control-read", readerName);
      checkGrant(check, "control-write", writerName);
      checkSample(check);
      if (certificate !== undefined) checkDates(check, certificate, now);
      const backedUp = row[2] !== null;
      check(
        "backup",
        "advice",
        backedUp,
        backedUp
          ? `It was last backed up at ${decodeTime(row[2], "pvt_key_last_backup_date")}.`
          : "It was never backed up: if it is lost, every encrypted recovery key is lost with it. Run backup-cert.",
      );
    }
    checkPlainText(check);
    const valid = microsoftCheck && findings.every((finding) => finding.passed || finding.weight === "advice");
    return { microsoftCheck, valid, findings };
  };
};
