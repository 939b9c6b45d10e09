import { describe, expect, test } from "vitest";
import type { OtherProtector } from "../../server/command/site-database.ts";
import { Secret } from "../../server/secret.ts";
import { createMemorySite, makeKeys, type MemorySite } from "./memory-site.ts";
import { columnNames, readAll, rowsOf, runLine, type Asked } from "./run-line.ts";

const keys = makeKeys(9);

const external = (number: number, computerName: string): OtherProtector => {
  const protectorId = `EEEE000${number}-0000-4000-8000-000000000000`;
  return {
    protectorId,
    protectorType: "ExternalKey",
    category: "Managed",
    fileName: new Secret(`${number}.BEK`, { keyId: protectorId, computerName, what: "protector" }),
    thumbprint: undefined,
    computerName,
    volumeId: undefined,
    volumeType: "FixedData",
    lastUpdateTime: "2026-11-01T00:00:00.000Z",
  };
};

const siteWith = (...protectors: readonly OtherProtector[]): MemorySite =>
  createMemorySite(keys, undefined, undefined, undefined, protectors);
const three = (): MemorySite =>
  siteWith(external(1, "PC-0001"), external(2, "PC-0002"), external(3, "PC-0003.corp.example"));

const idsIn = async (line: string, site: MemorySite, asked?: Asked): Promise<unknown[]> =>
  (await readAll((await runLine(line, site, asked)).result)).map((row) => row[4]);

test("protectors come with what tells them apart; file names and thumbprints are secret, and no key is asked for", async () => {
  const site = three();
  const { result } = await runLine("Get-RecoveryKeys pc-0001 -Protectors", site);
  expect(columnNames(result)).toEqual([
    "ComputerName",
    "VolumeType",
    "ProtectorType",
    "Category",
    "ProtectorId",
    "FileName",
    "Thumbprint",
    "VolumeId",
    "LastUpdateTime",
  ]);
  expect(await readAll(result)).toEqual([
    [
      "PC-0001",
      "FixedData",
      "ExternalKey",
      "Managed",
      "EEEE0001-0000-4000-8000-000000000000",
      "•••",
      null,
      null,
      "2026-11-01T00:00:00.000Z",
    ],
  ]);
  expect(new Set(site.asked.map(({ what }) => what))).toEqual(new Set(["computers", "protectors"]));
  expect([site.marked, await rowsOf(result).count?.()]).toEqual([[], 1]);
});

test("without a filter all are listed", async () => {
  expect(await idsIn("Get-RecoveryKeys -Protectors", three())).toHaveLength(3);
});

describe("of several names and ids", () => {
  test("those with protectors are listed, and the others are named beside them, with exit status 3", async () => {
    const told: string[] = [];
    const line = "Get-RecoveryKeys PC-0001,PC-0009,PC-0003 -Protectors";
    const { result } = await runLine(line, siteWith(external(1, "PC-0001")), { prompts: [], told });
    expect(await readAll(result)).toHaveLength(1);
    expect(rowsOf(result).exitStatus).toBe(3);
    expect(told).toEqual(["No other protector was found for computer PC-0009, computer PC-0003."]);
  });

  test("none is listed with -Strict, nor where none is there", async () => {
    for (const [line, words] of [
      ["Get-RecoveryKeys PC-0001,PC-0009 -Protectors -Strict", "computer PC-0009."],
      ["Get-RecoveryKeys PC-0009 -Protectors", "computer PC-0009."],
      ["Get-RecoveryKeys -RecoveryKeyId EEEE0009 -Protectors", "the volume of key id EEEE0009."],
    ] as const)
      await expect(runLine(line, three())).rejects.toMatchObject({
        category: "ObjectNotFound",
        message: `No other protector was found for ${words}`,
      });
  });

  test("an id is looked for among the volumes", async () => {
    expect(await idsIn("Get-RecoveryKeys -RecoveryKeyId EEEE0002 -Protectors", three())).toEqual([
      "EEEE0002-0000-4000-8000-000000000000",
    ]);
  });
});

test.each(["-Since 7d", "-Latest", "-NoRotation", "-raw"])(
  "%s says nothing of protectors, and is refused",
  async (more) => {
    await expect(runLine(`Get-RecoveryKeys PC-0001 -Protectors ${more}`, three())).rejects.toMatchObject({
      category: "InvalidArgument",
      message: `-Protectors lists other protectors than keys: leave ${more.split(" ")[0]} out.`,
    });
  },
);
