/*
 * ATTACK: someone can write the database file, but does not hold the master key. The certificate in it is public: they make a key for cells of
 *   their own, wrap it with that, and put it in the place of the true one, or beside it; with a cell that it opens, or ahead of an import.
 *   Or, where keys stand in plain text, they exchange two of them.
 * DANGER: whoever has a copy of the file reads every key that is imported from then on; a caller is told a key of the attacker's making,
 *   or another computer's.
 * EXPECT: a key for cells counts only where somebody with the master key put it there: with another nothing is read or imported, and no
 *   command makes it good. A key in plain text is the one that was imported under its id, or an error.
 */
import { createSecretKey, publicEncrypt, randomBytes, X509Certificate } from "node:crypto";
import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Secret } from "../../server/secret.ts";
import { renewMasterKey } from "../../server/site-database/embedded/index.ts";
import { openCell, sealCell } from "../../server/site-database/embedded/cells.ts";
import { cellColumns } from "../../server/site-database/embedded/schema.ts";
import {
  collect,
  guid,
  makeOlder,
  neverStopped,
  passwordOf,
  passwordRecord,
  takeBack,
  waysToRead,
} from "../site-database/fixture.ts";
import { madeSites } from "../site-database/made-sites.ts";
import type { TestSite } from "../site-database/fixture.ts";

const keys = "RecoveryAndHardwareCore_Keys";

const newEncrypted = madeSites();
const newPlain = madeSites({ plainText: true });

const makeSite = (storage: "encrypted" | "plain text" = "encrypted"): Promise<TestSite> =>
  storage === "encrypted" ? newEncrypted() : newPlain();

const theirs = randomBytes(32);

/** As anybody can who has the file. */
const wrapTheirs = (site: TestSite): Uint8Array => {
  const certificate = site.look("SELECT certificate FROM sys_certificates")[0]?.[0];
  if (!(certificate instanceof Uint8Array)) throw new Error("no certificate");
  return publicEncrypt({ key: new X509Certificate(certificate).publicKey, oaepHash: "sha256" }, theirs);
};

const plant = (site: TestSite): void => site.tamper("UPDATE data_keys SET wrapped_key = ?", wrapTheirs(site));

const plantBeside = (site: TestSite, id: string): void => {
  const names = site.look("SELECT name FROM pragma_table_info('data_keys')").map(([name]) => String(name));
  const values = names.map((name) => (name === "data_key_id" ? id : name === "wrapped_key" ? "?" : name));
  site.tamper(`INSERT INTO data_keys SELECT ${values.join(", ")} FROM data_keys`, wrapTheirs(site));
};

/** The highest that SQLite has: whatever is inserted from then on gets a lower one, by chance, too large for a number of JavaScript. */
const highestId = String(2n ** 63n - 1n);

const idsBeside: readonly (readonly [string, string])[] = [
  ["beside the true one", "9"],
  ["beside the true one under the highest id", highestId],
];

const waysIn: readonly (readonly [string, (site: TestSite) => void])[] = [
  ["in the place of the true one", plant],
  ...idsBeside.map(([way, id]) => [way, (site: TestSite) => plantBeside(site, id)] as const),
];

/** Whether whoever put `theirs` into the file can read a key in it. */
const canRead = (site: TestSite): boolean =>
  site.look(`SELECT Id, RecoveryKeyId, RecoveryKey FROM ${keys}`).some(([rowId, keyId, cell]) => {
    if (!(cell instanceof Uint8Array)) return false;
    try {
      const address = { ...cellColumns.recoveryKey, rowId: Number(rowId), subject: String(keyId) };
      return openCell(createSecretKey(theirs), address, cell).length > 0;
    } catch {
      return false;
    }
  });

describe.each(waysIn)("a key for cells of the attacker's, %s", (_way, plantIt) => {
  test("encrypts no key that is imported", async () => {
    const site = await makeSite();
    plantIt(site);
    await expect(site.importRecords([passwordRecord(1)])).rejects.toMatchObject({ category: "ResourceUnavailable" });
    expect(canRead(site)).toBe(false);
    expect(site.look(`SELECT count(*) FROM ${keys}`)).toEqual([[0]]);
  });

  test.each(waysToRead)("opens no cell, read %s", async (_where, options) => {
    const site = await makeSite();
    await site.importRecords([passwordRecord(1)]);
    const [rowId] = site.look(`SELECT Id FROM ${keys}`)[0] ?? [];
    const address = { ...cellColumns.recoveryKey, rowId: Number(rowId), subject: guid("key 1") };
    plantIt(site);
    site.tamper(
      `UPDATE ${keys} SET RecoveryKey = ?`,
      sealCell(createSecretKey(theirs), address, Buffer.from(passwordOf(5))),
    );
    const database = await site.open(options);
    await expect(collect(database.readRecoveryKeys({}, neverStopped))).rejects.toMatchObject({
      category: "ResourceUnavailable",
    });
    await expect(database.verifyCertificate(neverStopped)).resolves.toMatchObject({ valid: false });
  });

  test("is made good by no command", async () => {
    const site = await makeSite();
    const database = await site.open();
    const backup = { name: "site", form: "Pkcs8", password: new Secret("Correct-Horse-42") } as const;
    await database.backupCertificate(backup, neverStopped);
    plantIt(site);
    site.tamper("DELETE FROM sys_database_permissions");
    await database.createCertificate({}, neverStopped).catch(() => undefined);
    await database.restoreCertificate(backup, neverStopped).catch(() => undefined);
    await site.importRecords([passwordRecord(1)]).catch(() => undefined);
    expect(canRead(site)).toBe(false);
  });
});

test.each(idsBeside)("where one was put %s, restore-cert brings the true one back with every key", async (_way, id) => {
  const site = await makeSite();
  const database = await site.open();
  const backup = { name: "site", form: "Pkcs8", password: new Secret("Correct-Horse-42") } as const;
  await site.importRecords([passwordRecord(1)]);
  await database.backupCertificate(backup, neverStopped);
  plantBeside(site, id);
  await expect(collect(database.readRecoveryKeys({}, neverStopped))).rejects.toThrow("can't be used");
  await database.restoreCertificate(backup, neverStopped);
  await site.importRecords([passwordRecord(2)]);
  await expect(collect(database.readRecoveryKeys({}, neverStopped))).resolves.toHaveLength(2);
  expect(canRead(site)).toBe(false);
});

describe.each(waysIn)("the master key is lost, and a key for cells of the attacker's is there, %s", (_way, plantIt) => {
  test.each(["no key", "a key"])(
    "with %s encrypted: none that is imported after the restore is theirs to read",
    async (what) => {
      const site = await makeSite();
      const password = new Secret("Correct-Horse-42");
      const request = { name: "site", form: "Pkcs8", password } as const;
      if (what === "a key") await site.importRecords([passwordRecord(1)]);
      const database = await site.open();
      await database.backupCertificate(request, neverStopped);
      await database.close();
      plantIt(site);
      await writeFile(site.masterKeyFile, randomBytes(32));
      await renewMasterKey(
        {
          file: site.file,
          backupDirectory: site.backupDirectory,
          request,
          recorded: site.record.newest(),
          newMasterKey: () => Promise.resolve({ kind: "file", path: site.masterKeyFile }),
          renewed: ({ state }) => site.record.written(state),
        },
        neverStopped,
      );
      await site.importRecords([passwordRecord(2)]);
      expect(canRead(site)).toBe(false);
      const again = await site.open();
      await expect(
        collect(again.readRecoveryKeys({ passwordIds: [guid("key 2")] }, neverStopped)),
      ).resolves.toHaveLength(1);
    },
  );
});

describe("a database of a version without the check of data keys", () => {
  test("is raised as it stands, once, and goes on", async () => {
    const site = await makeSite();
    await site.importRecords([passwordRecord(1)]);
    await makeOlder(site, 3);
    const [database] = await Promise.all([site.open(), site.importRecords([passwordRecord(2)])]);
    await expect(collect(database.readRecoveryKeys({}, neverStopped))).resolves.toHaveLength(2);
    await expect(site.inspect(true)).resolves.toMatchObject({ rows: { wrong: 0 }, set: { isRecorded: true } });
    plant(site);
    await expect(collect(database.readRecoveryKeys({}, neverStopped))).rejects.toMatchObject({
      category: "ResourceUnavailable",
    });
  });

  test("is not the one that the record knows when a copy is raised a second time", async () => {
    const site = await makeSite();
    await site.importRecords([passwordRecord(1)]);
    await makeOlder(site, 3);
    const older = join(site.directory, "older.sqlite");
    await copyFile(site.file, older);
    await (await site.open()).close();
    await copyFile(older, site.file);
    plant(site);
    await expect(site.importRecords([passwordRecord(2)])).rejects.toThrow("pep site accept-restore");
    expect(canRead(site)).toBe(false);
  });

  test("can't be made of a newer one", async () => {
    const site = await makeSite();
    plant(site);
    takeBack(site, 3);
    await expect(site.open()).rejects.toThrow("changed by someone without it");
  });
});

describe.each(waysToRead)("in plain text, read %s", (_where, options) => {
  const attacks: readonly (readonly [string, string])[] = [
    ["two keys exchanged", `UPDATE ${keys} SET RecoveryKey = iif(Id = 1, '${passwordOf(2)}', '${passwordOf(1)}')`],
    [
      "two keys exchanged with all that is about them alone",
      `UPDATE ${keys} AS k SET (RecoveryKey, Fingerprint) =
         (SELECT RecoveryKey, Fingerprint FROM ${keys} other WHERE other.Id <> k.Id)`,
    ],
    ["a key of the attacker's making", `UPDATE ${keys} SET RecoveryKey = '${passwordOf(5)}'`],
    ["the same with nothing to compare", `UPDATE ${keys} SET RecoveryKey = '${passwordOf(5)}', Fingerprint = NULL`],
  ];

  test.each(attacks)("%s: an error", async (_name, change) => {
    const site = await makeSite("plain text");
    await site.importRecords([passwordRecord(1), passwordRecord(2)]);
    site.tamper(change);
    const database = await site.open(options);
    await expect(collect(database.readRecoveryKeys({}, neverStopped))).rejects.toMatchObject({
      category: "ResourceUnavailable",
    });
  });
});
