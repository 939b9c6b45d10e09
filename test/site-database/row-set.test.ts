import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { fileIdentity } from "../../server/site-database/embedded/connection.ts";
import { unlockDatabase } from "../../server/site-database/embedded/database.ts";
import { examineAside } from "../../server/site-database/embedded/examine-aside.ts";
import { openRecoveryRecordWriter } from "../../server/site-database/embedded/index.ts";
import {
  asImportRecord,
  collect,
  disclosing,
  guid,
  makeOlder,
  neverStopped,
  passwordRecord,
  streamOf,
  type TestSite,
} from "./fixture.ts";
import { madeSites } from "./made-sites.ts";

const newSite = madeSites();

/** An import whose process ends between the database's commit and the log's. */
const importUnrecorded = async (site: TestSite, number: number): Promise<void> => {
  const record = {
    newest: async () => site.record.newest(),
    written: () => Promise.reject(new Error("killed")),
  };
  const masterKey = { kind: "file", path: site.masterKeyFile } as const;
  const writer = openRecoveryRecordWriter({ file: site.file, masterKey, record });
  await expect(
    writer.importFile(streamOf([passwordRecord(number)]), { onProgress: () => undefined, signal: neverStopped }),
  ).rejects.toThrow("killed");
  await writer.close();
};

const readAll = async (site: TestSite): Promise<number> =>
  (await collect((await site.open()).readRecoveryKeys({}, neverStopped))).length;

describe("the sum of all rows", () => {
  test("is that of the rows, whatever imports did", async () => {
    const site = await newSite();
    const volumes = ["a", "b", "c", "d"];
    for (let round = 0; round < 12; round += 1) {
      // Keys without a volume that get one, volumes that get a type, disks that move, device ids that get a name.
      await site.importRecords(
        Array.from({ length: 9 }, (_, index) => {
          const number = (round * 5 + index * 7) % 31;
          return passwordRecord(number, {
            computerName: number % 3 === round % 3 ? guid(`device ${number % 11}`) : `PC-${(number + round) % 13}`,
            volumeType: round % 2 === 0 ? "Unknown" : "FixedData",
            ...((number + round) % 4 === 0 ? {} : { volumeId: guid(volumes[(number + round) % 4] ?? "") }),
            ...(round % 5 === 0 ? {} : { lastUpdateTime: new Date(Date.UTC(2026, 1, 1 + number)).toISOString() }),
          });
        }),
      );
      const { rows, set } = await site.inspect(true);
      expect({ round, rows, set }).toMatchObject({ rows: { wrong: 0 }, set: { state: site.record.newest() } });
    }
    const counted = site.look(`SELECT (SELECT count(*) FROM RecoveryAndHardwareCore_Keys),
      (SELECT count(*) FROM RecoveryAndHardwareCore_Machines_Volumes)`);
    expect(counted).toEqual([[site.record.newest()?.keys, site.record.newest()?.links]]);
  });

  test("counts no write where an import changes nothing, or fails", async () => {
    const site = await newSite();
    await site.importRecords([passwordRecord(1)]);
    const before = site.record.newest();
    await site.importRecords([passwordRecord(1)]);
    await expect(
      site.importRecords([passwordRecord(2), passwordRecord(1, { password: passwordOfOther })]),
    ).rejects.toThrow("known already");
    expect(site.record.newest()).toBe(before);
    await expect(site.inspect(true)).resolves.toMatchObject({ set: { state: before } });
  });

  test("stays as it is while keys are disclosed", async () => {
    const site = await newSite();
    await site.importRecords([passwordRecord(1)]);
    const before = site.look("SELECT state FROM row_set");
    await collect(disclosing(await site.open(), {}, "x", neverStopped));
    expect(site.look("SELECT state FROM row_set")).toEqual(before);
    await expect(site.inspect(true)).resolves.toMatchObject({ set: { state: site.record.newest() } });
  });
});

const passwordOfOther = "000011-000022-000033-000044-000055-000066-000077-000088";

describe("a write that a crash kept off the record", () => {
  test("is put there by whoever looks next, and the one before is an older copy from then on", async () => {
    const site = await newSite();
    await site.importRecords([passwordRecord(1)]);
    const before = join(site.directory, "before.sqlite");
    await copyFile(site.file, before);
    await importUnrecorded(site, 2);
    expect(site.record.newest()?.counter).toBe(2);
    const database = await site.open();
    expect(site.record.newest()?.counter).toBe(3);
    await expect(collect(database.readRecoveryKeys({}, neverStopped))).resolves.toHaveLength(2);
    expect(site.record.refusals).toEqual([]);
    await database.close();
    await copyFile(before, site.file);
    await expect(readAll(site)).rejects.toThrow("the record knows");
    expect(site.record.refusals).toMatchObject([{ reason: "older" }]);
  });

  test("does not come back after another took its place", async () => {
    const site = await newSite();
    await site.importRecords([passwordRecord(1)]);
    const before = join(site.directory, "before.sqlite");
    const unrecorded = join(site.directory, "unrecorded.sqlite");
    await copyFile(site.file, before);
    await importUnrecorded(site, 2);
    await copyFile(site.file, unrecorded);
    await copyFile(before, site.file);
    await site.importRecords([passwordRecord(3)]);
    expect(site.record.newest()?.counter).toBe(3);
    await copyFile(unrecorded, site.file);
    await expect(readAll(site)).rejects.toThrow("the record knows");
    await expect(site.importRecords([passwordRecord(4)])).rejects.toThrow("not the one that the record knows");
    expect(site.record.refusals).toMatchObject([{ reason: "other" }]);
  });

  test("is not followed by another before it is on the record", async () => {
    const site = await newSite();
    await site.importRecords([passwordRecord(1)]);
    await importUnrecorded(site, 2);
    await importUnrecorded(site, 3);
    expect(site.look("SELECT count(*) FROM RecoveryAndHardwareCore_Keys")).toEqual([[2]]);
  });
});

describe("a database of version 2, with digests and nothing over all rows", () => {
  const makeVersion2 = async (site: TestSite): Promise<void> => {
    await makeOlder(site, 2);
    site.record.forget();
  };

  test("is sealed as it stands, by whoever opens it first, and its first state is on the record", async () => {
    const site = await newSite();
    await site.importRecords([passwordRecord(1), passwordRecord(2)]);
    await makeVersion2(site);
    await Promise.all([site.open(), site.importRecords([passwordRecord(3)])]);
    expect(site.look("PRAGMA user_version")).toEqual([[4]]);
    expect(site.record.newest()).toMatchObject({ counter: 2, keys: 3, links: 3 });
    await expect(site.inspect(true)).resolves.toMatchObject({ rows: { wrong: 0 }, set: { isRecorded: true } });
    await expect(readAll(site)).resolves.toBe(3);
  });

  test("put back after it was raised, with a row less, is not the one that the record knows", async () => {
    const site = await newSite();
    await site.importRecords([passwordRecord(1), passwordRecord(2)]);
    await makeVersion2(site);
    const older = join(site.directory, "older.sqlite");
    await copyFile(site.file, older);
    const database = await site.open();
    expect(site.record.newest()).toMatchObject({ counter: 1, keys: 2 });
    await database.close();
    await copyFile(older, site.file);
    site.tamper("DELETE FROM RecoveryAndHardwareCore_Keys WHERE RecoveryKeyId = ?", guid("key 2"));
    await expect(readAll(site)).rejects.toThrow("the record knows");
    expect(site.record.refusals).toMatchObject([{ reason: "other" }]);
  });
});

describe("looking at every row", () => {
  const look = async (site: TestSite, rows: number, signal = neverStopped, entry?: URL) => {
    const source = { kind: "file", path: site.masterKeyFile } as const;
    const unlocked = await unlockDatabase(site.file, source, { signal: neverStopped, lockWaitMs: 1000 });
    const { rowDigestKey, set } = unlocked;
    const identity = await fileIdentity(site.file);
    const task = { file: site.file, identity, rowDigestKey, elementKey: set.elementKey, lockWaitMs: 1000 };
    try {
      const { walked } = await examineAside(task, rows, signal, ...(entry === undefined ? [] : [entry]));
      return walked;
    } finally {
      unlocked.close();
    }
  };

  test("finds the same here, in a thread, and here because the thread's program is gone", async () => {
    const site = await newSite();
    await site.importRecords(Array.from({ length: 500 }, (_, number) => passwordRecord(number)));
    const here = await look(site, 1000);
    expect(here).toMatchObject({ looked: 1000, wrong: 0, keys: 500, links: 500 });
    await expect(look(site, 1_000_000)).resolves.toEqual(here);
    const gone = pathToFileURL(join(site.directory, "gone-worker.js"));
    await expect(look(site, 1_000_000, neverStopped, gone)).resolves.toEqual(here);
  });

  test("ends with its database", async () => {
    const site = await newSite();
    await expect(look(site, 1_000_000, AbortSignal.abort())).rejects.toMatchObject({ category: "ResourceUnavailable" });
    const stopping = new AbortController();
    const looked = look(site, 1_000_000, stopping.signal);
    stopping.abort();
    await expect(looked).rejects.toMatchObject({ category: "ResourceUnavailable" });
  });
});

test("two imports beside each other are both on the record, in turn", async () => {
  const site = await newSite();
  const masterKey = { kind: "file", path: site.masterKeyFile } as const;
  const counters: number[] = [];
  const record = {
    ...asImportRecord(site.record),
    written: async (state: Parameters<typeof site.record.written>[0]) => {
      counters.push(state.counter);
      await site.record.written(state);
    },
  };
  await Promise.all(
    [0, 1, 2].map(async (first) => {
      const writer = openRecoveryRecordWriter({ file: site.file, masterKey, record });
      const records = Array.from({ length: 1500 }, (_, number) => passwordRecord(number * 3 + first));
      await writer.importFile(streamOf(records), { onProgress: () => undefined, signal: neverStopped });
      await writer.close();
    }),
  );
  expect(site.record.newest()).toMatchObject({ counter: 4, keys: 4500, links: 4500 });
  expect(new Set(counters)).toEqual(new Set([1, 2, 3, 4]));
  await expect(site.inspect(true)).resolves.toMatchObject({ rows: { wrong: 0 }, set: { state: { counter: 4 } } });
});
