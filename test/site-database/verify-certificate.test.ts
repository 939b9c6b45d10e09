import { expect, test } from "vitest";
import type { CertificateVerification } from "../../server/command/site-database.ts";
import { neverStopped, passwordRecord } from "./fixture.ts";
import { madeSites } from "./made-sites.ts";

const newSite = madeSites();

const verifyAfter = async (...changes: string[]): Promise<CertificateVerification> => {
  const site = await newSite();
  await site.importRecords([passwordRecord(1), passwordRecord(2)]);
  const database = await site.open();
  for (const sql of changes) site.tamper(sql);
  return database.verifyCertificate(neverStopped);
};

const failed = ({ findings }: CertificateVerification, weight: "required" | "advice"): string[] =>
  findings.filter((finding) => finding.weight === weight && !finding.passed).map((finding) => finding.check);

test("finds nothing wrong with a new database but that it was never backed up", async () => {
  const verification = await verifyAfter();
  expect(verification).toMatchObject({ microsoftCheck: true, valid: true });
  expect(failed(verification, "required")).toEqual([]);
  expect(failed(verification, "advice")).toEqual(["backup"]);
  expect(verification.findings.every(({ finding }) => finding.endsWith("."))).toBe(true);
});

test.each([
  [
    "the reader's grant is gone",
    "DELETE FROM sys_database_permissions WHERE grantee_principal_id = 2",
    false,
    ["control-read", "sample"],
  ],
  [
    "the writer's grant is gone",
    "DELETE FROM sys_database_permissions WHERE grantee_principal_id = 3",
    false,
    ["control-write"],
  ],
  [
    "the reader is denied, which Microsoft's check does not see",
    "UPDATE sys_database_permissions SET state = 'D' WHERE grantee_principal_id = 2",
    true,
    ["control-read", "sample"],
  ],
  [
    "the reader's user is gone",
    "DELETE FROM sys_database_principals WHERE name = 'RecoveryAndHardwareRead'",
    false,
    ["control-read", "sample"],
  ],
  [
    "the owner is another, which Microsoft's check does not see",
    "UPDATE sys_certificates SET principal_id = 2",
    true,
    ["owner", "key-protection", "private-key"],
  ],
  [
    "the key is not protected by the master key",
    "UPDATE sys_certificates SET pvt_key_encryption_type = 'PW'",
    true,
    ["key-protection"],
  ],
  [
    "the owner's private key was changed",
    "UPDATE sys_certificates SET private_key = zeroblob(2000)",
    true,
    ["key-protection", "private-key"],
  ],
  [
    "the data key was changed",
    "UPDATE data_keys SET wrapped_key = zeroblob(384)",
    true,
    ["control-read", "control-write", "sample"],
  ],
  [
    "a recovery key was changed",
    "UPDATE RecoveryAndHardwareCore_Keys SET RecoveryKey = zeroblob(84) WHERE Id = 1",
    true,
    ["sample"],
  ],
])("finds that %s", async (_what, sql, microsoftCheck, required) => {
  const verification = await verifyAfter(sql);
  expect(failed(verification, "required")).toEqual(required);
  expect(verification).toMatchObject({ microsoftCheck, valid: false });
});

test("finds that the certificate is gone", async () => {
  const verification = await verifyAfter("DELETE FROM sys_certificates");
  expect(verification).toMatchObject({ microsoftCheck: false, valid: false });
  expect(failed(verification, "required")).toEqual(["certificate"]);
});

test("finds that a certificate of another name is not it", async () => {
  const verification = await verifyAfter("UPDATE sys_certificates SET name = 'BitLockerManagement_CERT_OLD'");
  expect(failed(verification, "required")).toEqual(["certificate"]);
});

test("finds two certificates of the name", async () => {
  const verification = await verifyAfter(
    `INSERT INTO sys_certificates SELECT 2, name, principal_id, pvt_key_encryption_type, certificate, private_key, NULL
       FROM sys_certificates`,
  );
  expect(failed(verification, "required")).toContain("certificate");
});

test("says which keys are in plain text though they must not be", async () => {
  const site = await newSite();
  await site.importRecords([passwordRecord(1), passwordRecord(2)]);
  site.tamper("UPDATE RecoveryAndHardwareCore_Keys SET RecoveryKey = ? WHERE Id = 1", "000011-".repeat(7) + "000011");
  const verification = await (await site.open()).verifyCertificate(neverStopped);
  expect(failed(verification, "advice")).toContain("plain-text");
  expect(failed(verification, "required")).toEqual(["sample"]);
});

test("says that no key could be tried where none is stored", async () => {
  const site = await newSite();
  const { valid, findings } = await (await site.open()).verifyCertificate(neverStopped);
  expect(valid).toBe(true);
  expect(findings.find(({ check }) => check === "sample")?.finding).toContain("No recovery key is stored yet");
});
