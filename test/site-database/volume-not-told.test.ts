import { beforeAll, describe, expect, test } from "vitest";
import { getRecoveryKeys } from "../../commands/get-recovery-keys.ts";
import type { RecoveryKey, RecoveryKeyQuery } from "../../server/command/site-database.ts";
import type { RecoveryRecord } from "../../server/site-database/recovery-record.ts";
import { collect, createSiteMaker, guid, neverStopped, passwordRecord, waysToRead } from "./fixture.ts";
import type { SiteMaker, TestSite } from "./fixture.ts";

/* Keys of data that names no volume: CSV, Microsoft Graph, manage-bde. SQL Server's sites always name one. */

let maker: SiteMaker;
beforeAll(async () => {
  maker = await createSiteMaker();
  return () => maker.dispose();
});

const at = (month: number): string => `2026-0${month}-01T00:00:00.000Z`;
const untold = (number: number, computerName: string, month: number, more: Partial<RecoveryRecord> = {}) => ({
  ...passwordRecord(number, { computerName, lastUpdateTime: at(month) }),
  ...more,
});
const records: readonly RecoveryRecord[] = [
  untold(1, "PC-A", 1),
  untold(2, "PC-A", 3),
  untold(3, "PC-A", 2),
  untold(4, "PC-A", 1, { volumeType: "FixedData" }),
  untold(5, "PC-A", 2, { volumeType: "FixedData" }),
  untold(6, "PC-B", 5),
  untold(7, "PC-C", 1, { volumeType: "Unknown" }),
  untold(8, "PC-C", 2, { volumeType: "Unknown" }),
  // The same computer by another source, which tells the volume.
  untold(9, "PC-D", 1),
  untold(10, "PC-D", 2, { volumeId: guid("volume of D") }),
  untold(11, "PC-E", 2),
  untold(12, "PC-E", 1, { volumeId: guid("volume of E") }),
];

const filled = async (): Promise<TestSite> => {
  const site = await maker.make();
  await site.importRecords(records);
  return site;
};
const number = ({ passwordId }: RecoveryKey): number =>
  records.findIndex((_, index) => guid(`key ${index + 1}`) === passwordId) + 1;

describe.each(waysToRead)("%s", (_, options) => {
  const read = async (query: RecoveryKeyQuery): Promise<RecoveryKey[]> => {
    const site = await filled();
    try {
      const database = await site.open(options);
      const keys = await collect(database.readRecoveryKeys(query, neverStopped));
      expect(await database.countRecoveryKeys(query, neverStopped)).toBe(keys.length);
      return keys;
    } finally {
      await site.dispose();
    }
  };

  test("-Latest is the newest of each computer and kind of volume", async () => {
    const found = await read({ latest: true });
    // Of PC-E the key that names its volume may be another drive's: both are shown.
    expect(found.map(number).sort((a, b) => a - b)).toEqual([2, 5, 6, 8, 10, 11, 12]);
  });

  test("a key's state is what is known: of other kinds than the system's there may be several volumes", async () => {
    const found = await read({ withState: true });
    expect(Object.fromEntries(found.map((key) => [number(key), key.state]))).toEqual({
      1: "Replaced",
      2: "Current",
      3: "Replaced",
      4: "Older",
      5: "Current",
      6: "Current",
      7: "Older",
      8: "Current",
      9: "Replaced",
      10: "Current",
      11: "Current",
      12: "Current",
    });
  });

  test("no volume id is made up", async () => {
    const found = await read({});
    const told = found.filter(({ volumeId }) => volumeId !== undefined);
    expect(told.map(number).sort((a, b) => a - b)).toEqual([10, 12]);
  });
});

test("a link to another computer's newer key, made without the master key, hides nobody's key", async () => {
  const site = await filled();
  site.tamper(
    "INSERT INTO RecoveryAndHardwareCore_Machines_Volumes (MachineId, VolumeId, RowDigest) SELECT a.Id, mv.VolumeId, mv.RowDigest " +
      "FROM RecoveryAndHardwareCore_Machines a, RecoveryAndHardwareCore_Machines b " +
      "JOIN RecoveryAndHardwareCore_Machines_Volumes mv ON mv.MachineId = b.Id WHERE a.Name = 'PC-A' AND b.Name = 'PC-B'",
  );
  const database = await site.open();
  const query = { latest: true, passwordIds: [guid("key 2")] };
  await expect(collect(database.readRecoveryKeys(query, neverStopped))).rejects.toMatchObject({
    category: "ResourceUnavailable",
  });
  await site.dispose();
});

test("help says what the states mean", () => {
  for (const word of ["Current", "Replaced", "Older"]) expect(getRecoveryKeys.description).toContain(word);
});
