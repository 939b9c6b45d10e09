/*
 * ATTACK: someone puts another master key in place of the site's, reads the one that lies there, or edits what the database says
 *   about it: another kind, ruinous costs, plain text allowed.
 * DANGER: recovery keys protected by a key that others know; or a server that starts and gives empty answers; or one that
 *   spends all memory before it starts.
 * EXPECT: the database does not open, and the error says why in words without a path or a key.
 */
import { chmod, chown, rename, symlink, writeFile } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { neverStopped, passwordOf, passwordRecord, collect } from "../site-database/fixture.ts";
import { madeSites } from "../site-database/made-sites.ts";

const newSite = madeSites();

/** The cause is for the administrator of the machine: it names the file and what mends it. */
const unusable = (words: RegExp) => ({
  category: "ResourceUnavailable",
  message: expect.stringContaining("The master key file can't be used."),
  cause: expect.objectContaining({ message: expect.stringMatching(words) }),
});

const refusal = (words: string) => ({ category: "ResourceUnavailable", message: expect.stringContaining(words) });

test.each([0o604, 0o640, 0o620, 0o602, 0o666])("a master key file of mode %o is refused", async (mode) => {
  const site = await newSite();
  await chmod(site.masterKeyFile, mode);
  await expect(site.open()).rejects.toMatchObject(unusable(/others may (read|write) it.*chmod/));
  await expect(site.importRecords([passwordRecord(1)])).rejects.toMatchObject(
    unusable(/others may (read|write) it.*chmod/),
  );
});

test("another master key is refused, and so is the server's start", async () => {
  const site = await newSite();
  await site.importRecords([passwordRecord(1)]);
  await writeFile(site.masterKeyFile, randomBytes(32));
  await expect(site.open()).rejects.toMatchObject(refusal("does not belong to this site database"));
});

test.each([0, 16, 31, 33, 4096])("a master key file of %i bytes is refused", async (bytes) => {
  const site = await newSite();
  await writeFile(site.masterKeyFile, randomBytes(bytes));
  await expect(site.open()).rejects.toMatchObject(refusal("exactly 32 bytes"));
});

test("a missing master key file is refused", async () => {
  const site = await newSite();
  await rename(site.masterKeyFile, `${site.masterKeyFile}.away`);
  await expect(site.open()).rejects.toMatchObject(unusable(/is missing/));
});

test("a link in the place of the master key file is refused", async () => {
  const site = await newSite();
  await rename(site.masterKeyFile, `${site.masterKeyFile}.away`);
  await symlink(`${site.masterKeyFile}.away`, site.masterKeyFile);
  await expect(site.open()).rejects.toMatchObject(unusable(/symbolic link; run: cp -pL/));
});

// Only root can give a file away, and for root every file is its own or an ordinary user's.
test.runIf(process.geteuid?.() === 0)("a master key file of another user is refused", async () => {
  const site = await newSite();
  await chown(site.masterKeyFile, 65_534, 65_534);
  await expect(site.open()).rejects.toMatchObject(unusable(/belongs to user id 65534.*chown 0 /));
});

test("the refusals name no path", async () => {
  const site = await newSite();
  await chmod(site.masterKeyFile, 0o644);
  const error: unknown = await site.open().catch((reason: unknown) => reason);
  expect(error instanceof Error && error.message).not.toContain(site.directory);
});

test.each([
  [
    "costs beyond reason",
    '{"kind":"password","salt":"AAAA","cost":1073741824,"blockSize":8,"parallelization":1}',
    "damaged",
  ],
  ["a kind that does not exist", '{"kind":"none","salt":"AAAA"}', "damaged"],
  ["something that is no JSON", "{", "damaged"],
  [
    "a password instead of a file",
    '{"kind":"password","salt":"AAAA","cost":2,"blockSize":1,"parallelization":1}',
    "comes from a password",
  ],
  ["another salt", '{"kind":"file","salt":"AAAA"}', "does not belong"],
])("a master key record with %s is refused", async (_what, derivation, words) => {
  const site = await newSite();
  site.tamper("UPDATE sys_symmetric_keys SET key_derivation = ?", derivation);
  await expect(site.open()).rejects.toMatchObject(refusal(words));
});

test("plain text can't be allowed by editing the file", async () => {
  const site = await newSite();
  await site.importRecords([passwordRecord(1)]);
  const database = await site.open();
  site.tamper("UPDATE site_settings SET plain_text_allowed = 1");
  site.tamper("UPDATE RecoveryAndHardwareCore_Keys SET RecoveryKey = ?", passwordOf(2));
  // The running server keeps what was true when it opened the file …
  await expect(collect(database.readRecoveryKeys({}, neverStopped))).rejects.toMatchObject({
    category: "ResourceUnavailable",
  });
  // … and the next one does not open it.
  await expect(site.open()).rejects.toMatchObject(refusal("changed by someone without it"));
});

test("a database without its master key record does not open", async () => {
  const site = await newSite();
  site.tamper("DELETE FROM sys_symmetric_keys");
  await expect(site.open()).rejects.toMatchObject(refusal("no master key record"));
});
