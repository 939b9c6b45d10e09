import { describe, expect, test } from "vitest";
import { EndpointError } from "../../server/errors.ts";
import { revealSecret, Secret } from "../../server/secret.ts";
import { openRecoveryRecordWriter } from "../../server/site-database/embedded/index.ts";
import type { KeyCategory } from "../../server/command/site-database.ts";
import type { RecoveryRecord } from "../../server/site-database/recovery-record.ts";
import {
  asImportRecord,
  collect,
  guid,
  neverStopped,
  passwordOf,
  passwordRecord,
  streamOf,
  textOf,
} from "./fixture.ts";
import { madeSites } from "./made-sites.ts";
import type { TestSite } from "./fixture.ts";

let site: TestSite;

const make = madeSites();

const newSite = async (): Promise<TestSite> => {
  site = await make();
  return site;
};

const tables = ["Machines", "Machines_Volumes", "Volumes", "Keys", "Keys_OtherVolumes", "Packages", "Tpm"];

/** Everything an import may write, to compare before with after. */
const everything = (): unknown[][][] =>
  tables.map((table) => site.look(`SELECT * FROM RecoveryAndHardwareCore_${table} ORDER BY 1, 2`));

const counts = (): number[] => everything().map((rows) => rows.length);

const fullRecords = (): RecoveryRecord[] => [
  passwordRecord(0, {
    computerName: "PC-A",
    volumeId: guid("volume a"),
    lastUpdateTime: "2026-01-01T00:00:00.000Z",
    recoveryPackage: Uint8Array.of(1, 2, 3),
    tpmPasswordHash: new Secret("5UMbF8+7S0dVyT9pYc1dq3JzKkM="),
  }),
  passwordRecord(1, { computerName: "PC-B" }),
  {
    line: 3,
    computerName: "PC-A",
    volumeId: guid("volume a"),
    volumeType: "OperatingSystem",
    protector: { kind: "ExternalKey", keyId: guid("external"), fileName: "A.BEK" },
  },
  {
    line: 4,
    computerName: "PC-A",
    volumeId: guid("volume a"),
    volumeType: "OperatingSystem",
    protector: { kind: "DataRecoveryAgent", keyId: guid("agent"), certificateThumbprint: "AB".repeat(20) },
  },
];

describe("importing", () => {
  test("adds every protector, package and hash once, and nothing the second time", async () => {
    await newSite();
    await expect(site.importRecords(fullRecords())).resolves.toEqual({ added: 4, unchanged: 0, tpmPasswordHashes: 1 });
    const first = everything();
    expect(counts()).toEqual([2, 2, 2, 4, 0, 1, 1]);
    await expect(site.importRecords(fullRecords())).resolves.toEqual({ added: 0, unchanged: 4, tpmPasswordHashes: 1 });
    expect(everything()).toEqual(first);
  });

  test("counts a record that comes twice in one file as unchanged", async () => {
    await newSite();
    const result = site.importRecords([passwordRecord(1), passwordRecord(1), passwordRecord(2)]);
    await expect(result).resolves.toEqual({ added: 2, unchanged: 1 });
    expect(counts().slice(0, 4)).toEqual([2, 2, 2, 2]);
  });

  test("takes a password without hyphens for the same password", async () => {
    await newSite();
    await site.importRecords([passwordRecord(1)]);
    const same = site.importRecords([passwordRecord(1, { password: passwordOf(1).replaceAll("-", "") })]);
    await expect(same).resolves.toEqual({ added: 0, unchanged: 1 });
    const [key] = await collect((await site.open()).readRecoveryKeys({}, neverStopped));
    expect(textOf(key)).toBe(passwordOf(1));
  });

  test("refuses another password for a known key id, names key and line, and imports nothing of the file", async () => {
    await newSite();
    await site.importRecords([passwordRecord(5)]);
    const before = everything();
    const file = [
      passwordRecord(1),
      passwordRecord(2),
      passwordRecord(7, { line: 17, keyId: guid("key 5") }),
      passwordRecord(3),
    ];
    await expect(site.importRecords(file)).rejects.toMatchObject({
      category: "ResourceExists",
      message: expect.stringMatching(new RegExp(`Line 17: key ${guid("key 5")}`)),
    });
    expect(everything()).toEqual(before);
  });

  test("refuses two passwords for one key id inside a file", async () => {
    await newSite();
    const file = [passwordRecord(1), passwordRecord(2, { line: 9, keyId: guid("key 1") })];
    await expect(site.importRecords(file)).rejects.toMatchObject({
      category: "ResourceExists",
      message: expect.stringContaining("Line 9"),
    });
    expect(counts()).toEqual([0, 0, 0, 0, 0, 0, 0]);
  });

  test("refuses a key id that is known as another kind of protector", async () => {
    await newSite();
    await site.importRecords([passwordRecord(1)]);
    const other: RecoveryRecord = {
      line: 4,
      computerName: "PC-1",
      volumeType: "Unknown",
      protector: { kind: "ExternalKey", keyId: guid("key 1") },
    };
    await expect(site.importRecords([other])).rejects.toMatchObject({ category: "ResourceExists" });
  });

  test("takes a computer's TPM password hash without a key, counts it apart, and keeps it once", async () => {
    await newSite();
    const hash = { line: 1, computerName: "PC-T", tpmPasswordHash: new Secret("5UMbF8+7S0dVyT9pYc1dq3JzKkM=") };
    const counted = { added: 0, unchanged: 0, tpmPasswordHashes: 1 };
    await expect(site.importRecords([hash])).resolves.toEqual(counted);
    await expect(site.importRecords([{ ...hash, computerName: "pc-t" }])).resolves.toEqual(counted);
    await expect(site.importRecords([passwordRecord(1, { computerName: "PC-T" }), hash])).resolves.toMatchObject({
      added: 1,
    });
    const found = await (await site.open()).readTpmPasswordHashes("pc-T", neverStopped);
    expect(found.map(({ computerName, hash: one }) => [computerName, revealSecret(one)])).toEqual([
      ["PC-T", "5UMbF8+7S0dVyT9pYc1dq3JzKkM="],
    ]);
  });

  test("learns the category of an external key from a later record, and keeps what it knows", async () => {
    await newSite();
    const external = (category?: KeyCategory): RecoveryRecord => ({
      line: 1,
      computerName: "PC-1",
      volumeType: "Unknown",
      protector: { kind: "ExternalKey", keyId: guid("external"), ...(category !== undefined && { category }) },
    });
    const database = await site.open();
    const known = async (): Promise<unknown> => {
      for await (const [one] of database.readProtectors({}, neverStopped)) return one?.category;
      return "none";
    };
    for (const [records, category] of [
      [[external()], undefined],
      [[external(), external("Managed"), external("Recovery")], "Managed"],
      [[external("Recovery"), external()], "Managed"],
    ] as const) {
      await site.importRecords(records);
      expect(await known()).toBe(category);
    }
    await expect(site.inspect(true)).resolves.toMatchObject({ rows: { wrong: 0 } });
  });

  test.each([
    ["a password that breaks the rule", passwordRecord(1, { password: "111111-".repeat(7) + "111112" })],
    ["a key id that is no GUID", passwordRecord(1, { keyId: "1234" })],
    ["a volume id that is no GUID", passwordRecord(1, { volumeId: "C:" })],
    ["a computer without a name", passwordRecord(1, { computerName: " " })],
    ["a time that is none", passwordRecord(1, { lastUpdateTime: "yesterday" })],
    ["a package that is too long", passwordRecord(1, { recoveryPackage: new Uint8Array(7001) })],
  ])("refuses %s with its line, and imports nothing of the file", async (_what, record) => {
    await newSite();
    await expect(site.importRecords([passwordRecord(0), { ...record, line: 23 }])).rejects.toMatchObject({
      category: "InvalidArgument",
      message: expect.stringContaining("Line 23"),
    });
    expect(counts()).toEqual([0, 0, 0, 0, 0, 0, 0]);
  });

  test("imports nothing when the file turns out to be broken half-way", async () => {
    await newSite();
    async function* broken() {
      for (let number = 0; number < 2500; number += 1) yield passwordRecord(number);
      await Promise.resolve();
      throw new EndpointError("InvalidArgument", "Line 2501 is torn.");
    }
    const writer = openRecoveryRecordWriter({
      file: site.file,
      masterKey: { kind: "file", path: site.masterKeyFile },
      record: asImportRecord(site.record),
    });
    const options = { onProgress: () => undefined, signal: neverStopped };
    await expect(writer.importFile(broken(), options)).rejects.toMatchObject({ message: "Line 2501 is torn." });
    expect(counts()).toEqual([0, 0, 0, 0, 0, 0, 0]);
    // The same writer goes on with the next file.
    await expect(writer.importFile(streamOf([passwordRecord(1)]), options)).resolves.toEqual({
      added: 1,
      unchanged: 0,
    });
    await writer.close();
  });

  test("imports nothing when it is stopped, and tells its progress until then", async () => {
    await newSite();
    const stopping = new AbortController();
    const progress: number[] = [];
    const writer = openRecoveryRecordWriter({
      file: site.file,
      masterKey: { kind: "file", path: site.masterKeyFile },
      record: asImportRecord(site.record),
    });
    function* many() {
      for (let number = 0; number < 5000; number += 1) yield passwordRecord(number);
    }
    const onProgress = (count: number): void => {
      progress.push(count);
      if (count >= 2000) stopping.abort();
    };
    await expect(writer.importFile(streamOf(many()), { onProgress, signal: stopping.signal })).rejects.toMatchObject({
      category: "OperationStopped",
    });
    await writer.close();
    expect(progress).toEqual([1000, 2000]);
    expect(counts()).toEqual([0, 0, 0, 0, 0, 0, 0]);
  });

  test("can't write without the writer's CONTROL", async () => {
    await newSite();
    site.tamper("DELETE FROM sys_database_permissions WHERE grantee_principal_id = 3");
    await expect(site.importRecords([passwordRecord(1)])).rejects.toMatchObject({ category: "ResourceUnavailable" });
    expect(counts()).toEqual([0, 0, 0, 0, 0, 0, 0]);
  });
});

describe("what a later file adds", () => {
  /** Of volumes, as they are stored. */
  const volumeGuids = (): unknown[] =>
    site.look("SELECT VolumeGuid FROM RecoveryAndHardwareCore_Volumes").map(([volumeGuid]) => volumeGuid);

  test("keeps one made-up volume for a protector without one, and shows it to nobody", async () => {
    await newSite();
    for (let time = 0; time < 2; time += 1) await site.importRecords([passwordRecord(1)]);
    // Version 8 of RFC 9562: no GUID that Windows makes.
    expect(volumeGuids()).toEqual([
      expect.stringMatching(/^[0-9A-F]{8}-[0-9A-F]{4}-8[0-9A-F]{3}-8[0-9A-F]{3}-[0-9A-F]{12}$/),
    ]);
    const [key] = await collect((await site.open()).readRecoveryKeys({}, neverStopped));
    expect(key?.volumeId).toBeUndefined();
  });

  test("moves a key to the real volume when a file names it, and keeps its computer", async () => {
    await newSite();
    await site.importRecords([passwordRecord(1, { computerName: "PC-OLD", volumeType: "FixedData" })]);
    await site.importRecords([
      passwordRecord(1, { computerName: "PC-NEW", volumeId: guid("real"), volumeType: "Unknown" }),
    ]);
    const keys = await collect((await site.open()).readRecoveryKeys({}, neverStopped));
    expect(keys.map((key) => [key.computerName, key.volumeId, key.volumeType])).toEqual([
      ["PC-NEW", guid("real"), "FixedData"],
      ["PC-OLD", guid("real"), "FixedData"],
    ]);
    expect(counts()).toEqual([2, 2, 1, 1, 0, 0, 0]);
  });

  test.each([
    ["the name came first", ["PC-1", "12115d8c-0794-4f43-b291-edfc1dac590a"]],
    ["the device id came first", ["12115d8c-0794-4f43-b291-edfc1dac590a", "PC-1"]],
  ])("files one computer once where one file names it and another has its device id only: %s", async (_, names) => {
    await newSite();
    for (const computerName of [...names, ...names]) await site.importRecords([passwordRecord(1, { computerName })]);
    const keys = await collect((await site.open()).readRecoveryKeys({}, neverStopped));
    expect(keys.map((key) => key.computerName)).toEqual(["PC-1"]);
  });

  test("does not take the made-up volume that an earlier version exported for a real one", async () => {
    await newSite();
    await site.importRecords([passwordRecord(1)]);
    const [exported] = volumeGuids();
    const again = await make();
    await again.importRecords([passwordRecord(1, { volumeId: String(exported) })]);
    await again.importRecords([passwordRecord(1, { volumeId: guid("real") })]);
    const [key] = await collect((await again.open()).readRecoveryKeys({}, neverStopped));
    expect(key?.volumeId).toBe(guid("real"));
  });

  test("keeps both when two files name different volumes", async () => {
    await newSite();
    await site.importRecords([passwordRecord(1, { volumeId: guid("first") })]);
    for (let time = 0; time < 2; time += 1)
      await site.importRecords([passwordRecord(1, { volumeId: guid("second"), computerName: "PC-2" })]);
    const keys = await collect((await site.open()).readRecoveryKeys({}, neverStopped));
    expect(keys.map((key) => [key.computerName, key.volumeId])).toEqual([
      ["PC-1", guid("first")],
      ["PC-2", guid("first")],
    ]);
    expect(
      site.look(
        `SELECT VolumeGuid FROM RecoveryAndHardwareCore_Keys_OtherVolumes o
           JOIN RecoveryAndHardwareCore_Volumes v ON v.Id = o.VolumeId`,
      ),
    ).toEqual([[guid("second")]]);
  });

  test("keeps both when one file names different volumes", async () => {
    await newSite();
    await site.importRecords([
      passwordRecord(1),
      passwordRecord(1, { volumeId: guid("first") }),
      passwordRecord(1, { volumeId: guid("second") }),
    ]);
    expect(counts()).toEqual([1, 2, 2, 1, 1, 0, 0]);
    const [key] = await collect((await site.open()).readRecoveryKeys({}, neverStopped));
    expect(key?.volumeId).toBe(guid("first"));
  });

  test("learns a time and a volume type that were unknown, and forgets none", async () => {
    await newSite();
    const time = "2025-05-05T05:05:05.000Z";
    await site.importRecords([passwordRecord(1, { volumeType: "Unknown" })]);
    await site.importRecords([passwordRecord(1, { volumeType: "Removable", lastUpdateTime: time })]);
    await site.importRecords([
      passwordRecord(1, { volumeType: "FixedData", lastUpdateTime: "2026-01-01T00:00:00.000Z" }),
    ]);
    const [key] = await collect((await site.open()).readRecoveryKeys({}, neverStopped));
    expect(key).toMatchObject({ volumeType: "Removable", lastUpdateTime: time });
  });

  test("keeps the history of packages and TPM password hashes", async () => {
    await newSite();
    const parts = { computerName: "PC-1" };
    for (const byte of [1, 2, 2])
      await site.importRecords([
        passwordRecord(1, {
          ...parts,
          recoveryPackage: Uint8Array.of(byte),
          tpmPasswordHash: new Secret(`hash number ${byte}`),
        }),
      ]);
    expect(counts()).toEqual([1, 1, 1, 1, 0, 2, 2]);
  });

  test("spells a computer as it came first, whatever the case later", async () => {
    await newSite();
    await site.importRecords([passwordRecord(1, { computerName: "Büro-1" })]);
    await site.importRecords([passwordRecord(2, { computerName: "BÜRO-1" })]);
    expect(site.look("SELECT Name FROM RecoveryAndHardwareCore_Machines")).toEqual([["Büro-1"]]);
  });
});
