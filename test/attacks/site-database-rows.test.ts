/*
 * ATTACK: someone can write the database file, but does not hold the master key. They leave every cell alone and change what stands
 *   beside it: the computers' names, which computer a volume belongs to, a volume's id or type, a key's volume, kind or time.
 *   Or they let the next import, or the upgrade of an old file, put a good digest on their change.
 * DANGER: a support engineer reads the key of one computer to a caller who asked for another; the record names the wrong
 *   computer; the mark of a disclosure falls on another key; a role that is bound to a type of volume sees another's keys; "the newest key" is an old one.
 * EXPECT: every such row is an error of the whole answer, of a count too, asked for by computer or by key id. Moved disks,
 *   renamed computers and times that come later stay good. `pep doctor` finds a changed row without anybody asking for its key.
 */
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { RecoveryKeyQuery } from "../../server/command/site-database.ts";
import {
  collect,
  disclosing,
  guid,
  makeOlder,
  neverStopped,
  passwordOf,
  passwordRecord,
  takeBack,
  textOf,
  waysToRead,
} from "../site-database/fixture.ts";
import { madeSites } from "../site-database/made-sites.ts";
import type { TestSite } from "../site-database/fixture.ts";
import { shareOf } from "../harness/share.ts";

const machines = "RecoveryAndHardwareCore_Machines";
const links = "RecoveryAndHardwareCore_Machines_Volumes";
const volumes = "RecoveryAndHardwareCore_Volumes";
const keys = "RecoveryAndHardwareCore_Keys";
const early = Date.parse("2026-01-01T00:00:00.000Z");
const late = Date.parse("2026-09-01T00:00:00.000Z");

const storages = [
  ["encrypted cells", {}],
  ["plain text", { plainText: true }],
] as const;

const newSites = storages.map(([, options]) => madeSites(options));

/** PC-1 has keys 1 (newest) and 3 (older) on one volume, PC-2 has key 2. */
const records = [
  passwordRecord(1, { volumeId: guid("volume 1"), lastUpdateTime: new Date(late).toISOString() }),
  passwordRecord(3, {
    computerName: "PC-1",
    volumeId: guid("volume 1"),
    lastUpdateTime: new Date(early).toISOString(),
  }),
  passwordRecord(2, { volumeId: guid("volume 2"), lastUpdateTime: new Date(late).toISOString() }),
];

const siteWithKeys = async (storage: number): Promise<TestSite> => {
  const site = await newSites[storage]?.();
  if (site === undefined) throw new Error("no such storage");
  await site.importRecords(records);
  return site;
};

const isRefused = {
  category: "ResourceUnavailable",
  // The row itself, or all rows, when they were looked at again meanwhile.
  message: expect.stringMatching(
    /^Stored recovery data could not be read|^The site database is not the one that the record/,
  ),
};
const everything: RecoveryKeyQuery = {};
const ofPc1: RecoveryKeyQuery = { computerNames: ["PC-1"] };
const key = (number: number): RecoveryKeyQuery => ({ passwordIds: [guid(`key ${number}`)] });
const idOf = (number: number): string => `RecoveryKeyId = '${guid(`key ${number}`)}'`;
const volumeOf = (number: number): string => `(SELECT VolumeId FROM ${keys} WHERE ${idOf(number)})`;
const machine = (number: number): string => `(SELECT Id FROM ${machines} WHERE Name = 'PC-${number}')`;

const swapNames = [
  `UPDATE ${machines} SET Name = 'x', NameFolded = 'x' WHERE Name = 'PC-1'`,
  `UPDATE ${machines} SET Name = 'PC-1', NameFolded = 'PC-1' WHERE Name = 'PC-2'`,
  `UPDATE ${machines} SET Name = 'PC-2', NameFolded = 'PC-2' WHERE Name = 'x'`,
];
const dayBefore = `${early} - 86400000`;

// What is changed, and questions that used to get a wrong answer or one that lacks a key.
const attacks: readonly (readonly [string, readonly string[], readonly RecoveryKeyQuery[]])[] = [
  ["two computers' names exchanged", swapNames, [everything, ofPc1, key(1)]],
  [
    "a computer shown under another name",
    [`UPDATE ${machines} SET Name = 'PC-7' WHERE Name = 'PC-1'`],
    [ofPc1, key(1)],
  ],
  [
    "a volume tied to another computer",
    [`UPDATE ${links} SET MachineId = ${machine(1)} WHERE MachineId = ${machine(2)}`],
    [everything, ofPc1, key(2)],
  ],
  [
    "a volume tied to a second computer",
    [`INSERT INTO ${links} (MachineId, VolumeId) VALUES (${machine(1)}, ${volumeOf(2)})`],
    [everything, ofPc1, key(2)],
  ],
  [
    "a second computer's link with the first one's digest",
    [
      `UPDATE ${links} SET MachineId = 900 WHERE MachineId = ${machine(2)}`,
      `INSERT INTO ${machines} VALUES (900, 'PC-9', 'PC-9')`,
    ],
    [everything, key(2), { computerNames: ["PC-9"] }],
  ],
  [
    "a key moved to another computer's volume",
    [`UPDATE ${keys} SET VolumeId = ${volumeOf(1)} WHERE ${idOf(2)}`],
    [everything, ofPc1, key(2)],
  ],
  [
    "a volume's id changed",
    [`UPDATE ${volumes} SET VolumeGuid = '${guid("other")}' WHERE Id = ${volumeOf(1)}`],
    [ofPc1],
  ],
  [
    "a volume's type changed",
    [`UPDATE ${volumes} SET VolumeTypeId = 3 WHERE Id = ${volumeOf(1)}`],
    [
      { ...ofPc1, volumeTypes: ["Removable"] },
      { ...ofPc1, volumeTypes: ["OperatingSystem"] },
    ],
  ],
  [
    "the newest key made the oldest",
    [`UPDATE ${keys} SET LastUpdateTime = ${dayBefore} WHERE ${idOf(1)}`],
    [ofPc1, { ...ofPc1, latest: true }, { ...key(3), latest: true }, { ...ofPc1, since: new Date(late) }],
  ],
  [
    "an old key made the newest",
    [`UPDATE ${keys} SET LastUpdateTime = ${late + 1} WHERE ${idOf(3)}`],
    [ofPc1, { ...ofPc1, latest: true }, { ...key(1), latest: true }],
  ],
  [
    "the newest key passed off as a protector without a password",
    [`UPDATE ${keys} SET ProtectorKind = 1 WHERE ${idOf(1)}`],
    [key(1), { ...key(3), latest: true }],
  ],
  ["a key taken from every computer", [`DELETE FROM ${links} WHERE VolumeId = ${volumeOf(1)}`], [key(1)]],
  ["digests taken away", [`UPDATE ${links} SET RowDigest = x''`], [everything, ofPc1, key(1)]],
  ["digests of keys taken away", [`UPDATE ${keys} SET RowDigest = x''`], [everything, ofPc1, key(1)]],
];

describe.each(storages.map(([name], storage) => [name, storage] as const))("%s", (_storage, storage) => {
  describe.each(waysToRead)("read %s", (_where, options) => {
    test.each(shareOf(attacks, 3))("%s: no answer, no count, no mark", async (_name, changes, queries) => {
      const site = await siteWithKeys(storage);
      const database = await site.open(options);
      for (const query of queries) await database.countRecoveryKeys(query, neverStopped);
      for (const change of changes) site.tamper(change);
      for (const query of queries) {
        const asked = JSON.stringify(query);
        await expect(collect(database.readRecoveryKeys(query, neverStopped)), asked).rejects.toMatchObject(isRefused);
        await expect(database.countRecoveryKeys(query, neverStopped), asked).rejects.toMatchObject(isRefused);
      }
      const ids = [1, 2, 3].map((number) => guid(`key ${number}`));
      await expect(database.markDisclosed(ids, "x", neverStopped)).rejects.toMatchObject(isRefused);
      expect(site.look(`SELECT sum(Disclosed) FROM ${keys}`)).toEqual([[0]]);
    });
  });

  test.each(shareOf(attacks, 3))("%s: doctor finds it", async (_name, changes) => {
    const site = await siteWithKeys(storage);
    for (const whole of [false, true]) await expect(site.inspect(whole)).resolves.toMatchObject({ rows: { wrong: 0 } });
    for (const change of changes) site.tamper(change);
    for (const whole of [false, true]) {
      const { rows } = await site.inspect(whole);
      expect(rows?.wrong).toBeGreaterThan(0);
      expect(rows?.first).toMatch(/row|volume|key/);
    }
  });
});

describe("an import puts no good digest on a change", () => {
  test.each(
    shareOf(
      attacks.filter(([name]) => name !== "a volume tied to a second computer"),
      3,
    ),
  )("%s", async (_name, changes) => {
    const site = await siteWithKeys(0);
    for (const change of changes) site.tamper(change);
    const before = site.look(`SELECT Id, VolumeId, RowDigest FROM ${keys}`);
    await expect(
      site.importRecords([...records, passwordRecord(8, { computerName: "PC-1", volumeId: guid("volume 8") })]),
    ).rejects.toMatchObject({ category: "ResourceUnavailable" });
    expect(site.look(`SELECT Id, VolumeId, RowDigest FROM ${keys}`)).toEqual(before);
  });

  test("a new key of a computer whose shown name was changed", async () => {
    const site = await siteWithKeys(0);
    site.tamper(`UPDATE ${machines} SET Name = 'PC-7' WHERE Name = 'PC-1'`);
    await expect(site.importRecords([passwordRecord(8, { computerName: "PC-1" })])).rejects.toMatchObject(isRefused);
  });

  test("a computer made ready under a false name, before its first import", async () => {
    const site = await siteWithKeys(0);
    site.tamper(`INSERT INTO ${machines} (Name, NameFolded) VALUES ('PC-1', 'PC-8')`);
    await site.importRecords([passwordRecord(8)]);
    const database = await site.open();
    const [found] = await collect(database.readRecoveryKeys(key(8), neverStopped));
    expect(found?.computerName).toBe("PC-8");
  });

  test("a volume made ready with a false type, before its first import", async () => {
    const site = await siteWithKeys(0);
    site.tamper(`INSERT INTO ${volumes} (VolumeGuid, VolumeTypeId, Derived) VALUES ('${guid("volume 8")}', 3, 0)`);
    await expect(site.importRecords([passwordRecord(8, { volumeId: guid("volume 8") })])).rejects.toMatchObject(
      isRefused,
    );
  });
});

describe("the upgrade", () => {
  const makeVersion1 = async (site: TestSite): Promise<void> => {
    await makeOlder(site, 1);
    site.record.forget();
  };

  test("an older file is upgraded once, by whoever opens it first, and is protected from then on", async () => {
    const site = await siteWithKeys(0);
    await makeVersion1(site);
    const [one] = await Promise.all([site.open(), site.open(), site.importRecords([passwordRecord(8)])]);
    expect(site.look("PRAGMA user_version")).toEqual([[4]]);
    await expect(collect(one.readRecoveryKeys({}, neverStopped))).resolves.toHaveLength(4);
    await expect(site.inspect(true)).resolves.toMatchObject({ rows: { wrong: 0 } });
    for (const change of swapNames) site.tamper(change);
    await expect(collect(one.readRecoveryKeys({}, neverStopped))).rejects.toMatchObject(isRefused);
    takeBack(site, 1);
    await expect(site.open()).rejects.toThrow("changed by someone without it");
  });

  test("an older copy that is upgraded a second time is not the one that the record knows", async () => {
    const site = await siteWithKeys(0);
    await makeVersion1(site);
    const older = join(site.directory, "older.sqlite");
    await copyFile(site.file, older);
    const first = await site.open();
    await expect(collect(first.readRecoveryKeys({}, neverStopped))).resolves.toHaveLength(3);
    await first.close();
    await copyFile(older, site.file);
    for (const change of swapNames) site.tamper(change);
    const again = await site.open();
    await expect(collect(again.readRecoveryKeys({}, neverStopped))).rejects.toThrow("the record knows");
    await expect(site.importRecords([passwordRecord(8)])).rejects.toThrow("pep site accept-restore");
  });

  test("a file with digests is not passed off as one without", async () => {
    const site = await siteWithKeys(0);
    for (const change of swapNames) site.tamper(change);
    takeBack(site, 1);
    await expect(site.open()).rejects.toThrow("changed by someone without it");
    await expect(site.importRecords([passwordRecord(8)])).rejects.toThrow("changed by someone without it");
  });
});

describe("what honest people do stays good", () => {
  test("a disk moved to another computer, a time and a volume that come later, a renamed computer", async () => {
    const site = await siteWithKeys(0);
    await site.importRecords([passwordRecord(5), passwordRecord(6, { volumeType: "Unknown" })]);
    await site.importRecords([
      passwordRecord(2, { computerName: "PC-NEW", volumeId: guid("volume 2") }),
      passwordRecord(5, { volumeId: guid("volume 5"), lastUpdateTime: new Date(late).toISOString() }),
      passwordRecord(6, { volumeType: "FixedData" }),
      passwordRecord(3, { computerName: "PC-1", volumeId: guid("volume 9") }),
    ]);
    const database = await site.open();
    const found = await collect(database.readRecoveryKeys({}, neverStopped));
    expect(found.map((one) => `${one.computerName} ${textOf(one) ?? ""}`).sort()).toEqual(
      ["PC-1 1", "PC-1 3", "PC-2 2", "PC-NEW 2", "PC-5 5", "PC-6 6"]
        .map((line) => line.split(" "))
        .map(([name, number]) => `${name ?? ""} ${passwordOf(Number(number))}`)
        .sort(),
    );
    await expect(site.inspect(true)).resolves.toMatchObject({ rows: { wrong: 0 } });
    await collect(disclosing(database, {}, "x", neverStopped));
    await expect(site.inspect(true)).resolves.toMatchObject({ rows: { wrong: 0 } });
  });

  test("a whole copy opens with its master key and its record", async () => {
    const site = await siteWithKeys(0);
    const other = await newSites[0]?.();
    if (other === undefined) throw new Error("no site");
    await copyFile(site.file, other.file);
    await copyFile(site.masterKeyFile, other.masterKeyFile);
    const recorded = site.record.newest();
    if (recorded !== undefined) await other.record.written(recorded);
    await expect(collect((await other.open()).readRecoveryKeys({}, neverStopped))).resolves.toHaveLength(3);
  });
});
