import { copyFile, readFile } from "node:fs/promises";
import { createHash, X509Certificate } from "node:crypto";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Secret } from "../../server/secret.ts";
import type { CertificateMade, CertificateRestoreRequest, SiteDatabase } from "../../server/command/site-database.ts";
import type { RecoveryRecord } from "../../server/site-database/recovery-record.ts";
import { collect, neverStopped, textOf } from "./fixture.ts";

/** A database behind the port, filled with given records, and what the contract needs to do behind its back. */
export interface SiteDatabaseUnderTest {
  readonly database: SiteDatabase;
  /** Where `backupCertificate` writes, as this process sees it. */
  readonly backupDirectory: string;
  /** Takes a principal's CONTROL away while the database is open. */
  revokeControl(principal: "RecoveryAndHardwareRead" | "RecoveryAndHardwareWrite"): Promise<void>;
  /** Takes the certificate itself away, with its permissions; what it encrypted stays. */
  dropCertificate(): Promise<void>;
  /** What `acceptUnreadableKeysIn` must say. */
  readonly databaseName: string;
  dispose(): Promise<void>;
}

export type MakeSiteDatabase = (records: readonly RecoveryRecord[]) => Promise<SiteDatabaseUnderTest>;

const strongPassword = new Secret("Correct-Horse-42");

const backupOf = (name: string, form: "Pkcs8" | "Pfx" = "Pkcs8") => ({ name, form, password: strongPassword });
const resultsOf = ({ parts }: CertificateMade): readonly string[] => parts.map(({ result }) => result);
const untouched = ["was there", "was there", "was there", "was there"];

/** What is there and what works, to see that a refusal changed none of it. */
const stateOf = async (database: SiteDatabase) => ({
  found: await database.findCertificate(neverStopped),
  verification: await database.verifyCertificate(neverStopped),
});

const testMaking = (start: (records?: readonly RecoveryRecord[]) => Promise<SiteDatabaseUnderTest>): void => {
  test("creating where nothing is missing changes nothing and says so", async () => {
    const { database } = await start();
    const before = await stateOf(database);
    const made = await database.createCertificate({}, neverStopped);
    expect(resultsOf(made)).toEqual(untouched);
    expect(made.thumbprint).toBe(before.found.thumbprint);
    expect(await stateOf(database)).toEqual(before);
  });

  test("a check says the thumbprints of the certificate that a backup holds", async () => {
    const under = await start();
    const { thumbprints } = await under.database.verifyCertificate(neverStopped);
    await under.database.backupCertificate(backupOf("prints"), neverStopped);
    const certificate = new X509Certificate(await readFile(join(under.backupDirectory, "prints.cer")));
    const plain = (print: string): string => print.replaceAll(":", "").toLowerCase();
    expect(thumbprints).toEqual({ sha1: plain(certificate.fingerprint), sha256: plain(certificate.fingerprint256) });
    await under.dropCertificate();
    expect((await under.database.verifyCertificate(neverStopped)).thumbprints).toBeUndefined();
  });

  test.each(["RecoveryAndHardwareRead", "RecoveryAndHardwareWrite"] as const)(
    "creating grants CONTROL again to %s, and nothing else",
    async (principal) => {
      const under = await start();
      const keys = await collect(under.database.readRecoveryKeys({}, neverStopped));
      await under.revokeControl(principal);
      expect(await under.database.verifyCertificate(neverStopped)).toMatchObject({ valid: false });
      const made = await under.database.createCertificate({}, neverStopped);
      expect(made.parts.filter(({ result }) => result !== "was there")).toEqual([
        { part: `CONTROL for ${principal}`, result: "granted" },
      ]);
      expect(await under.database.verifyCertificate(neverStopped)).toMatchObject({ microsoftCheck: true, valid: true });
      const again = await collect(under.database.readRecoveryKeys({}, neverStopped));
      expect(again.map(textOf)).toEqual(keys.map(textOf));
    },
  );

  test("a certificate is made anew where there is none and no key is encrypted", async () => {
    const under = await start([]);
    const before = await under.database.findCertificate(neverStopped);
    await under.dropCertificate();
    expect(await under.database.findCertificate(neverStopped)).toEqual({ hasMasterKey: true });
    const made = await under.database.createCertificate({}, neverStopped);
    expect(resultsOf(made)).toEqual(["was there", "created", "granted", "granted"]);
    expect(made.thumbprint).not.toBe(before.thumbprint);
    expect(await under.database.findCertificate(neverStopped)).toMatchObject({ thumbprint: made.thumbprint });
    expect(await under.database.verifyCertificate(neverStopped)).toMatchObject({ microsoftCheck: true, valid: true });
  });

  test("a new certificate is not kept over keys that it can't open, unless the database is named", async () => {
    const under = await start();
    await under.dropCertificate();
    const before = await stateOf(under.database);
    for (const request of [{}, { acceptUnreadableKeysIn: `${under.databaseName}2` }]) {
      await expect(under.database.createCertificate(request, neverStopped)).rejects.toMatchObject({
        category: "ResourceExists",
      });
      expect(await stateOf(under.database)).toEqual(before);
    }
    const accepted = { acceptUnreadableKeysIn: under.databaseName };
    expect(resultsOf(await under.database.createCertificate(accepted, neverStopped))).toContain("created");
    // Lost is lost: an error, never a row without its key.
    await expect(collect(under.database.readRecoveryKeys({}, neverStopped))).rejects.toMatchObject({
      category: "ResourceUnavailable",
    });
  });

  test.each(["Pkcs8", "Pfx"] as const)(
    "a %s backup brings certificate, permissions and every key back",
    async (form) => {
      const under = await start();
      const { database } = under;
      const keys = await collect(database.readRecoveryKeys({}, neverStopped));
      expect(keys.length).toBeGreaterThan(0);
      const { thumbprint } = await database.backupCertificate(backupOf("site", form), neverStopped);
      await under.dropCertificate();
      await expect(collect(database.readRecoveryKeys({}, neverStopped))).rejects.toMatchObject({
        category: "ResourceUnavailable",
      });
      const made = await database.restoreCertificate(backupOf("site", form), neverStopped);
      expect(made.thumbprint).toBe(thumbprint);
      expect(resultsOf(made)).toEqual(["was there", "restored", "granted", "granted"]);
      expect(await database.verifyCertificate(neverStopped)).toMatchObject({ microsoftCheck: true, valid: true });
      const again = await collect(database.readRecoveryKeys({}, neverStopped));
      expect(again.map(textOf)).toEqual(keys.map(textOf));
      expect(resultsOf(await database.restoreCertificate(backupOf("site", form), neverStopped))).toEqual(untouched);
    },
  );

  test("restoring the certificate that is there grants what was taken away", async () => {
    const under = await start();
    await under.database.backupCertificate(backupOf("site"), neverStopped);
    await under.revokeControl("RecoveryAndHardwareRead");
    const made = await under.database.restoreCertificate(backupOf("site"), neverStopped);
    expect(made.parts).toContainEqual({ part: "CONTROL for RecoveryAndHardwareRead", result: "granted" });
    expect(await under.database.verifyCertificate(neverStopped)).toMatchObject({ microsoftCheck: true, valid: true });
    expect((await collect(under.database.readRecoveryKeys({}, neverStopped))).length).toBeGreaterThan(0);
  });

  test("another site's certificate is refused while keys are encrypted, and never put over one that is there", async () => {
    const other = await start([]);
    await other.dropCertificate();
    await other.database.createCertificate({}, neverStopped);
    await other.database.backupCertificate(backupOf("other"), neverStopped);
    const under = await start();
    for (const file of ["other.cer", "other.key"])
      await copyFile(join(other.backupDirectory, file), join(under.backupDirectory, file));
    const accepted = { ...backupOf("other"), acceptUnreadableKeysIn: under.databaseName };
    const refuses = async (request: CertificateRestoreRequest): Promise<void> => {
      const before = await stateOf(under.database);
      await expect(under.database.restoreCertificate(request, neverStopped)).rejects.toMatchObject({
        category: "ResourceExists",
      });
      expect(await stateOf(under.database)).toEqual(before);
    };
    await refuses(backupOf("other"));
    await refuses(accepted);
    await under.dropCertificate();
    await refuses(backupOf("other"));
    await refuses({ ...accepted, acceptUnreadableKeysIn: "another" });
    const made = await under.database.restoreCertificate(accepted, neverStopped);
    expect(made.thumbprint).toBe((await other.database.findCertificate(neverStopped)).thumbprint);
    await expect(collect(under.database.readRecoveryKeys({}, neverStopped))).rejects.toMatchObject({
      category: "ResourceUnavailable",
    });
  });

  test("a wrong password, no password and a backup that is not there are told apart, and change nothing", async () => {
    const under = await start();
    await under.database.backupCertificate(backupOf("site"), neverStopped);
    await under.database.backupCertificate(backupOf("site", "Pfx"), neverStopped);
    await under.dropCertificate();
    const before = await stateOf(under.database);
    const cases = [
      [{ ...backupOf("site"), password: new Secret("Correct-Horse-43") }, "InvalidArgument"],
      [{ ...backupOf("site", "Pfx"), password: new Secret("Correct-Horse-43") }, "InvalidArgument"],
      [{ ...backupOf("site"), password: new Secret("") }, "InvalidArgument"],
      [backupOf("nothing"), "ObjectNotFound"],
    ] as const;
    for (const [request, category] of cases)
      await expect(under.database.restoreCertificate(request, neverStopped)).rejects.toMatchObject({ category });
    expect(await stateOf(under.database)).toEqual(before);
  });
};

/** The part of the contract about BitLockerManagement_CERT. */
export const testCertificate = (
  start: (records?: readonly RecoveryRecord[]) => Promise<SiteDatabaseUnderTest>,
): void => {
  testMaking(start);
  test("calls a complete certificate valid", async () => {
    const { database } = await start();
    const verification = await database.verifyCertificate(neverStopped);
    expect(verification).toMatchObject({ microsoftCheck: true, valid: true });
    expect(verification.findings.filter((one) => one.weight === "required" && !one.passed)).toEqual([]);
  });

  test("reads nothing without the reader's CONTROL, and the verification says so", async () => {
    const under = await start();
    await under.revokeControl("RecoveryAndHardwareRead");
    await expect(collect(under.database.readRecoveryKeys({}, neverStopped))).rejects.toMatchObject({
      category: "ResourceUnavailable",
    });
    const { valid, microsoftCheck, findings } = await under.database.verifyCertificate(neverStopped);
    expect({ valid, microsoftCheck }).toEqual({ valid: false, microsoftCheck: false });
    const failed = findings.filter((one) => !one.passed && one.weight === "required");
    expect(failed.map((one) => one.finding).join("\n")).toContain("RecoveryAndHardwareRead");
  });

  test("backs up certificate and key as two files", async () => {
    const { database, backupDirectory } = await start();
    const backup = await database.backupCertificate(
      { name: "site-1", form: "Pkcs8", password: strongPassword },
      neverStopped,
    );
    expect(backup.files.map((file) => file.fileName)).toEqual(["site-1.cer", "site-1.key"]);
    for (const file of backup.files) {
      const bytes = await readFile(join(backupDirectory, file.fileName));
      expect(bytes).toHaveLength(file.bytes);
      expect(createHash("sha256").update(bytes).digest("hex")).toBe(file.sha256);
    }
    const certificate = new X509Certificate(await readFile(join(backupDirectory, "site-1.cer")));
    expect(certificate.subject).toBe("CN=BitLocker Management");
    expect(certificate.fingerprint256.replaceAll(":", "").toLowerCase()).toBe(backup.thumbprint);
  });

  test("backs up certificate and key as one file, and remembers that it did", async () => {
    const { database } = await start();
    const backedUp = async (): Promise<boolean | undefined> =>
      (await database.verifyCertificate(neverStopped)).findings.find((one) => one.check === "backup")?.passed;
    expect(await backedUp()).toBe(false);
    const backup = await database.backupCertificate(
      { name: "site", form: "Pfx", password: strongPassword },
      neverStopped,
    );
    expect(backup.files.map((file) => file.fileName)).toEqual(["site.pfx"]);
    expect(await backedUp()).toBe(true);
  });

  test("never writes over a backup", async () => {
    const { database, backupDirectory } = await start();
    const request = { name: "site", form: "Pfx", password: strongPassword } as const;
    await database.backupCertificate(request, neverStopped);
    const before = await readFile(join(backupDirectory, "site.pfx"));
    await expect(database.backupCertificate(request, neverStopped)).rejects.toMatchObject({
      category: "ResourceExists",
    });
    expect(await readFile(join(backupDirectory, "site.pfx"))).toEqual(before);
  });

  test("refuses a weak password and says the rule", async () => {
    const { database } = await start();
    for (const password of ["", "Short-1", "onlysmallletters", "lowercase1234567"])
      await expect(
        database.backupCertificate({ name: "x", form: "Pfx", password: new Secret(password) }, neverStopped),
      ).rejects.toMatchObject({ category: "InvalidArgument", message: expect.stringContaining("12") });
  });
};
