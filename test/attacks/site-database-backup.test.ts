/*
 * ATTACK: the name of a backup leads out of the backup directory, onto a device or through a link that somebody laid there; the
 *   directory is one where others can write, or becomes a link into the data directory; a backup fails half-way.
 * DANGER: the private key of every recovery key lands where others read it, something is overwritten, or half a backup passes
 *   for a whole one.
 * EXPECT: refused, with nothing written and nothing left behind.
 */
import { chmod, mkdir, readdir, readFile, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { Secret } from "../../server/secret.ts";
import { neverStopped } from "../site-database/fixture.ts";
import { madeSites } from "../site-database/made-sites.ts";

const password = new Secret("Correct-Horse-42");

const newSite = madeSites();

test.each([
  "../escape",
  "..",
  ".",
  "",
  "/etc/cron.d/x",
  "a/b",
  "a\\b",
  "C:x",
  "a.b",
  "a\u0000b",
  "a b",
  "ä",
  "x".repeat(65),
  "nul",
  "COM1",
  "-n\n",
])("the name %j is refused", async (name) => {
  const site = await newSite();
  const database = await site.open();
  await expect(database.backupCertificate({ name, form: "Pkcs8", password }, neverStopped)).rejects.toMatchObject({
    category: "InvalidArgument",
  });
  expect(await readdir(site.backupDirectory)).toEqual([]);
});

test("a link that leads nowhere is not followed", async () => {
  const site = await newSite();
  const target = join(site.directory, "target");
  await symlink(target, join(site.backupDirectory, "site.key"));
  const database = await site.open();
  await expect(
    database.backupCertificate({ name: "site", form: "Pkcs8", password }, neverStopped),
  ).rejects.toMatchObject({
    category: "ResourceExists",
  });
  expect(await readdir(site.backupDirectory)).toEqual(["site.key"]);
  await expect(readFile(target)).rejects.toMatchObject({ code: "ENOENT" });
});

test("an existing second file keeps the first from being written, and stays as it was", async () => {
  const site = await newSite();
  await writeFile(join(site.backupDirectory, "site.key"), "mine");
  const database = await site.open();
  const error: unknown = await database
    .backupCertificate({ name: "site", form: "Pkcs8", password }, neverStopped)
    .catch((reason: unknown) => reason);
  expect(error).toMatchObject({ category: "ResourceExists", message: expect.stringContaining("site.key") });
  expect(await readdir(site.backupDirectory)).toEqual(["site.key"]);
  expect(await readFile(join(site.backupDirectory, "site.key"), "utf8")).toBe("mine");
});

test("a directory where others can write is refused", async () => {
  const site = await newSite();
  await chmod(site.backupDirectory, 0o777);
  const database = await site.open();
  await expect(database.backupCertificate({ name: "site", form: "Pfx", password }, neverStopped)).rejects.toMatchObject(
    {
      category: "ResourceUnavailable",
    },
  );
  expect(await readdir(site.backupDirectory)).toEqual([]);
});

test("a directory that is missing is not made, and its path is told to the log only", async () => {
  const site = await newSite();
  const database = await site.open();
  await rename(site.backupDirectory, `${site.backupDirectory}.unmounted`);
  const error: unknown = await database
    .backupCertificate({ name: "site", form: "Pfx", password }, neverStopped)
    .catch((reason: unknown) => reason);
  expect(error).toMatchObject({ category: "ResourceUnavailable" });
  expect(error instanceof Error && error.message).not.toContain(site.directory);
  expect(await readdir(site.directory)).not.toContain("backup");
});

test("a directory that has become a link into the data directory is refused", async () => {
  const site = await newSite();
  const database = await site.open();
  const inside = join(site.directory, "data", "inside");
  await mkdir(inside, { mode: 0o700 });
  await rename(site.backupDirectory, `${site.backupDirectory}.away`);
  await symlink(inside, site.backupDirectory);
  await expect(database.backupCertificate({ name: "site", form: "Pfx", password }, neverStopped)).rejects.toMatchObject(
    {
      category: "ResourceUnavailable",
    },
  );
  expect(await readdir(inside)).toEqual([]);
});

test("a backup whose time can't be noted leaves no file behind", async () => {
  const site = await newSite();
  const database = await site.open({ lockWaitMs: 20 });
  const other = new DatabaseSync(site.file);
  other.exec("BEGIN IMMEDIATE");
  await expect(
    database.backupCertificate({ name: "site", form: "Pkcs8", password }, neverStopped),
  ).rejects.toMatchObject({
    category: "ResourceUnavailable",
  });
  other.close();
  expect(await readdir(site.backupDirectory)).toEqual([]);
});

test("a backup that is stopped leaves no file behind", async () => {
  const site = await newSite();
  const database = await site.open();
  const stopping = new AbortController();
  const backup = database.backupCertificate({ name: "site", form: "Pkcs8", password }, stopping.signal);
  stopping.abort();
  await expect(backup).rejects.toMatchObject({ category: "OperationStopped" });
  expect(await readdir(site.backupDirectory)).toEqual([]);
});
