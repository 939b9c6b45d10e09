import { readFile } from "node:fs/promises";
import { createHash, X509Certificate } from "node:crypto";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Secret } from "../../server/secret.ts";
import type { SiteDatabase } from "../../server/site-database/port.ts";
import type { RecoveryRecord } from "../../server/site-database/recovery-record.ts";
import { collect, neverStopped } from "./fixture.ts";

/** A database behind the port, filled with given records, and what the contract needs to do behind its back. */
export interface SiteDatabaseUnderTest {
  readonly database: SiteDatabase;
  /** Where `backupCertificate` writes, as this process sees it. */
  readonly backupDirectory: string;
  /** Takes a principal's CONTROL away while the database is open. */
  revokeControl(principal: "RecoveryAndHardwareRead" | "RecoveryAndHardwareWrite"): Promise<void>;
  dispose(): Promise<void>;
}

export type MakeSiteDatabase = (records: readonly RecoveryRecord[]) => Promise<SiteDatabaseUnderTest>;

const strongPassword = new Secret("Correct-Horse-42");

/** The part of the contract about BitLockerManagement_CERT. */
export const testCertificate = (start: () => Promise<SiteDatabaseUnderTest>): void => {
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
