import type { CertificateVerification } from "../../command/site-database.ts";
import { CertificateFindings, judgeBackup, judgeExpiry } from "../certificate-findings.ts";
import {
  findOldCertificate,
  inspectCertificate,
  readCertificate,
  sampleKeys,
  verifyAsMicrosoft,
} from "./certificate-statements.ts";
import { decodeBytes, decodeNumber, decodeTime } from "./columns.ts";
import type { Site } from "./introspection.ts";
import { identifiers } from "./quoting.ts";
import type { SiteConnections } from "./site-connections.ts";
import { plural } from "../../model/plural.ts";

const sampledKeys = 20;

interface Inspection {
  readonly owner: unknown;
  readonly keyProtection: unknown;
  readonly expiresAt: string;
  readonly lastBackupAt: string | undefined;
  readonly readGrants: number;
  readonly writeGrants: number;
  readonly masterKeys: number;
  readonly opensByItself: boolean;
}

const decodeInspection = (row: readonly unknown[]): Inspection => ({
  owner: row[0],
  keyProtection: row[1],
  expiresAt: decodeTime(row[2], "expiry_date"),
  lastBackupAt: row[3] === null ? undefined : decodeTime(row[3], "pvt_key_last_backup_date"),
  readGrants: decodeNumber(row[4], "ReadGrants"),
  writeGrants: decodeNumber(row[5], "WriteGrants"),
  masterKeys: decodeNumber(row[6], "MasterKeys"),
  opensByItself: row[7] === 1,
});

interface Sample {
  readonly sampled: number;
  readonly readable: number;
}

/** Whether and how the certificate is there. */
const judgeCertificate = (findings: CertificateFindings, certificates: readonly Inspection[]): void => {
  const { certificate, owner, reader, writer } = identifiers;
  findings.required(
    "certificate",
    certificates.length === 1,
    `${certificate} is there, once.`,
    certificates.length === 0
      ? `${certificate} is not there, or this endpoint's login may not see it.`
      : `${certificate} is there ${certificates.length} times; only one may carry the name.`,
  );
  const found = certificates[0];
  if (found === undefined) return;
  findings.required(
    "owner",
    found.owner === owner,
    `Its owner is ${owner}.`,
    `Its owner is not ${owner}. Run: ALTER AUTHORIZATION ON CERTIFICATE::${certificate} TO ${owner}, then grant CONTROL again.`,
  );
  findings.required(
    "key-protection",
    found.keyProtection === "MK",
    "Its private key is protected by the database master key.",
    found.keyProtection === "NA"
      ? "It has no private key: restore it from a backup that has one."
      : "Its private key is not protected by the database master key.",
  );
  for (const [name, principal, grants] of [
    ["control-read", reader, found.readGrants],
    ["control-write", writer, found.writeGrants],
  ] as const)
    findings.required(
      name,
      grants > 0,
      `${principal} has CONTROL on the certificate.`,
      `${principal} has no CONTROL on the certificate. Run: GRANT CONTROL ON CERTIFICATE::${certificate} TO ${principal}`,
    );
};

const judgeMasterKey = (findings: CertificateFindings, found: Inspection, sample: Sample | undefined): void => {
  findings.required(
    "master-key",
    found.masterKeys === 1,
    "There is a database master key.",
    "There is no database master key.",
  );
  const proved = sample !== undefined && sample.sampled > 0 && sample.readable === sample.sampled;
  findings.required(
    "master-key-opens",
    found.opensByItself || proved,
    found.opensByItself
      ? "The service master key opens the database master key."
      : "The database master key opens, though not by the service master key: after a failover it may not.",
    "The database master key does not open by itself on this node. On each node: OPEN MASTER KEY, then " +
      "ALTER MASTER KEY ADD ENCRYPTION BY SERVICE MASTER KEY, or sp_control_dbmasterkey_password.",
  );
};

const judgeSample = (findings: CertificateFindings, sample: Sample | undefined, site: Site): void => {
  if (sample === undefined) {
    findings.required("sample", false, "", `No recovery key could be tried: ${site.missing.join(" ")}`);
    return;
  }
  findings.required(
    "sample",
    sample.readable === sample.sampled,
    sample.sampled === 0
      ? "No recovery key is stored yet, so none could be tried."
      : `The newest ${plural(sample.readable, "recovery key")} can be read.`,
    `Of the newest ${plural(sample.sampled, "recovery key")} only ${sample.readable} can be read: the master key is not ` +
      "open, the certificate is another one, or the login has no CONTROL on it.",
  );
};

/** Old and new are both there: Microsoft's procedure for a new certificate is under way. */
const judgeRotation = (findings: CertificateFindings, sample: Sample | undefined): void => {
  const { oldCertificate, certificate } = identifiers;
  const opened =
    sample === undefined
      ? ""
      : ` ${certificate} opens ${sample.readable} of the newest ${plural(sample.sampled, "recovery key")}.`;
  findings.advice(
    "renewal",
    false,
    "",
    `${oldCertificate} is there: a rotation of the certificate is under way.${opened} ` +
      "The steps, and which is next: pep renew-cert --dry-run, on this endpoint's machine.",
  );
};

/** Judges what was asked of the server. No question in here: one can read it as the list of rules it is. */
const judge = (
  certificates: readonly Inspection[],
  { sample, hasOld }: { readonly sample: Sample | undefined; readonly hasOld: boolean },
  site: Site,
  now: Date,
): CertificateFindings => {
  const findings = new CertificateFindings();
  judgeCertificate(findings, certificates);
  const found = certificates[0];
  if (found !== undefined) {
    judgeMasterKey(findings, found, sample);
    judgeExpiry(findings, new Date(found.expiresAt), now, ": SQL Server does not enforce it here.");
    judgeBackup(findings, found.lastBackupAt);
  }
  if (hasOld) judgeRotation(findings, sample);
  judgeSample(findings, sample, site);
  return findings;
};

/** Is BitLockerManagement_CERT there as Microsoft asks, and does it really open keys? Asked on the primary. */
export const verifyCertificate = (
  connections: SiteConnections,
  signal: AbortSignal,
  now: Date,
): Promise<CertificateVerification> =>
  connections.read(signal, async ({ connection }, site) => {
    const microsoftCheck = (await connection.firstRow(verifyAsMicrosoft(), { signal }))[0] === 1;
    const certificates = (await connection.rows(inspectCertificate(), { signal })).map(decodeInspection);
    const sampleRow = site.shape && (await connection.rows(sampleKeys(site.shape, sampledKeys), { signal }))[0];
    const sample = sampleRow && {
      sampled: decodeNumber(sampleRow[0], "Sampled"),
      readable: decodeNumber(sampleRow[1], "Readable"),
    };
    const certificate = decodeBytes((await connection.firstRow(readCertificate(), { signal }))[0]);
    const [old] = await connection.firstRow(findOldCertificate(), { signal });
    const hasOld = decodeNumber(old, "OldCertificates") > 0;
    return judge(certificates, { sample, hasOld }, site, now).verification(microsoftCheck, certificate);
  });
