/*
 * ATTACK: the name of a backup leads out of the backup directory; a file of it is a link, a pipe, readable by others, another
 *   certificate's, or is changed for another while the restore runs; a PFX asks for hours of work.
 * DANGER: keys are encrypted for a certificate that an attacker holds, or the certificate that opens them is lost.
 * EXPECT: refused, and what stands in the database is as it was; or the certificate that belongs there, nothing else.
 */
import { execFileSync } from "node:child_process";
import { chmod, copyFile, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { EndpointError } from "../../server/errors.ts";
import { Secret } from "../../server/secret.ts";
import type { SiteDatabase } from "../../server/command/site-database.ts";
import { collect, neverStopped, passwordRecord } from "../site-database/fixture.ts";
import { madeSites } from "../site-database/made-sites.ts";
import type { TestSite } from "../site-database/fixture.ts";

const password = new Secret("Correct-Horse-42");
const pair = { name: "site", form: "Pkcs8", password } as const;
const pfx = { name: "site", form: "Pfx", password } as const;

const newSite = madeSites();
const newOther = madeSites();

interface BackedUp {
  readonly site: TestSite;
  readonly database: SiteDatabase;
  readonly path: (file: string) => string;
}

const backedUp = async (make: typeof newSite, form: "Pkcs8" | "Pfx" = "Pkcs8"): Promise<BackedUp> => {
  const site = await make();
  await site.importRecords([passwordRecord(1)]);
  const database = await site.open();
  await database.backupCertificate({ ...pair, form }, neverStopped);
  return { site, database, path: (file) => join(site.backupDirectory, file) };
};

const certificateRows = (site: TestSite): unknown =>
  site.look("SELECT certificate_id, certificate, private_key FROM sys_certificates");

/** Loses a permission, tries to restore, and sees that the refusal left the certificate alone. */
const refuses = async ({ site, database }: BackedUp, request: typeof pair | typeof pfx): Promise<unknown> => {
  site.tamper("DELETE FROM sys_database_permissions");
  const before = certificateRows(site);
  const error: unknown = await database.restoreCertificate(request, neverStopped).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(Error);
  expect(certificateRows(site)).toEqual(before);
  expect(site.look("SELECT count(*) FROM sys_database_permissions")).toEqual([[0]]);
  expect(String(error)).not.toContain(site.directory);
  return error;
};

test.each([
  "../site",
  "..",
  "",
  "/etc/passwd",
  "a/b",
  "a\\b",
  "C:x",
  "site.key",
  "si\u0000te",
  "x".repeat(65),
  "nul",
  "site\n",
])("the name %j is refused", async (name) => {
  const site = await newSite();
  const database = await site.open();
  await expect(database.restoreCertificate({ ...pair, name }, neverStopped)).rejects.toMatchObject({
    category: "InvalidArgument",
  });
});

test("a link, a pipe and a file that others may read are refused, without waiting for a writer", async () => {
  const under = await backedUp(newSite);
  const key = under.path("site.key");
  await chmod(key, 0o644);
  expect(await refuses(under, pair)).toMatchObject({
    category: "ResourceUnavailable",
    message: expect.stringContaining("site.key"),
  });
  await chmod(key, 0o600);
  await rename(key, under.path("elsewhere"));
  await symlink(under.path("elsewhere"), key);
  expect(await refuses(under, pair)).toMatchObject({ category: "ResourceUnavailable" });
  await rm(key);
  execFileSync("sh", ["-c", 'mkfifo -m 600 "$0"', key]);
  expect(await refuses(under, pair)).toMatchObject({ category: "ResourceUnavailable" });
});

test("a certificate that others may change, and a directory where they may write, are refused", async () => {
  const under = await backedUp(newSite);
  await chmod(under.path("site.cer"), 0o666);
  expect(await refuses(under, pair)).toMatchObject({ category: "ResourceUnavailable" });
  await chmod(under.path("site.cer"), 0o600);
  await chmod(under.site.backupDirectory, 0o777);
  expect(await refuses(under, pair)).toMatchObject({ category: "ResourceUnavailable" });
});

test("the private key of another certificate is refused, though its password is right", async () => {
  const under = await backedUp(newSite);
  const other = await backedUp(newOther);
  await copyFile(other.path("site.key"), under.path("site.key"));
  expect(await refuses(under, pair)).toMatchObject({
    category: "InvalidArgument",
    message: expect.stringContaining("another certificate"),
  });
});

const wasExchanged = (error: Error): boolean =>
  error instanceof EndpointError && /exchanged|changed while/.test(String(error.cause));

test("a file changed for another's while the restore runs brings the right certificate back, or none", async () => {
  const under = await backedUp(newSite, "Pfx");
  const other = await backedUp(newOther, "Pfx");
  const own = await readFile(under.path("site.pfx"));
  const foreign = await readFile(other.path("site.pfx"));
  const { thumbprint } = await under.database.findCertificate(neverStopped);
  const put = async (bytes: Uint8Array): Promise<void> => {
    await writeFile(under.path("next"), bytes, { mode: 0o600 });
    await rename(under.path("next"), under.path("site.pfx"));
  };
  for (const bytes of [own, foreign]) {
    under.site.tamper("DELETE FROM sys_database_permissions");
    const state = { running: true };
    const restoring = under.database
      .restoreCertificate(pfx, neverStopped)
      .catch((error: unknown) => error)
      .finally(() => (state.running = false));
    for (let turn = 0; state.running; turn += 1) await put(turn % 2 === 0 ? foreign : bytes);
    const ended = await restoring;
    // Another site's certificate is not taken; a file that was exchanged while it was looked at is not read.
    if (ended instanceof Error)
      expect(
        wasExchanged(ended) || (ended instanceof EndpointError && ended.category === "ResourceExists"),
        String(ended),
      ).toBe(true);
    else expect(ended).toMatchObject({ thumbprint });
    expect(await under.database.findCertificate(neverStopped)).toMatchObject({ thumbprint });
  }
  await put(own);
  await under.database.restoreCertificate(pfx, neverStopped);
  expect(await collect(under.database.readRecoveryKeys({}, neverStopped))).toHaveLength(1);
});

test("a PFX that asks for millions of rounds is refused before they are run", async () => {
  const under = await backedUp(newSite, "Pfx");
  const bytes = await readFile(under.path("site.pfx"));
  // The last number of the file is the MAC's rounds: three bytes.
  bytes.set([0x7f, 0xff, 0xff], bytes.length - 3);
  await writeFile(under.path("site.pfx"), bytes);
  expect(await refuses(under, pfx)).toMatchObject({
    category: "InvalidArgument",
    cause: expect.objectContaining({ message: "the PFX asks for 8388607 rounds" }),
  });
});

test("a certificate put in the right one's place is replaced by the backup, and the keys open again", async () => {
  const under = await backedUp(newSite);
  const other = await backedUp(newOther);
  const [foreign] = other.site.look("SELECT certificate FROM sys_certificates")[0] ?? [];
  if (!(foreign instanceof Uint8Array)) throw new Error("no certificate");
  under.site.tamper("UPDATE sys_certificates SET certificate = ?", foreign);
  expect(await under.database.verifyCertificate(neverStopped)).toMatchObject({ valid: false });
  await under.database.restoreCertificate(pair, neverStopped);
  expect(await under.database.verifyCertificate(neverStopped)).toMatchObject({ valid: true });
  expect(await collect(under.database.readRecoveryKeys({}, neverStopped))).toHaveLength(1);
});
