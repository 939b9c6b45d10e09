import { afterAll, beforeAll, expect, test } from "vitest";
import type { ProtectorQuery, SiteDatabase } from "../../server/command/site-database.ts";
import { revealSecret } from "../../server/secret.ts";
import type { KeyProtector, RecoveryRecord } from "../../server/site-database/recovery-record.ts";
import { createSiteMaker, guid, neverStopped, passwordRecord, type SiteMaker, type TestSite } from "./fixture.ts";

let maker: SiteMaker;
let site: TestSite;
let database: SiteDatabase;

const thumbprint = "ab".repeat(20);
const system = guid("system volume");
const files = guid("data volume");

const record = (computerName: string, protector: KeyProtector, more: Partial<RecoveryRecord> = {}): RecoveryRecord => ({
  line: 1,
  computerName,
  volumeType: "OperatingSystem",
  ...more,
  protector,
});

const external = (name: string): KeyProtector => ({ kind: "ExternalKey", keyId: guid(name), fileName: `${name}.BEK` });
const agent = (name: string): KeyProtector => ({
  kind: "DataRecoveryAgent",
  keyId: guid(name),
  certificateThumbprint: thumbprint,
});

beforeAll(async () => {
  maker = await createSiteMaker();
  site = await maker.make();
  await site.importRecords([
    passwordRecord(0, { computerName: "PC-A", volumeId: system }),
    record("PC-A", external("a system"), { volumeId: system, lastUpdateTime: "2026-03-01T00:00:00.000Z" }),
    record("PC-A", agent("a agent"), { volumeId: system }),
    record("PC-A", external("a data"), { volumeId: files, volumeType: "FixedData" }),
    passwordRecord(1, { computerName: "PC-A", volumeId: files, volumeType: "FixedData" }),
    // As manage-bde's text has them: no volume is named.
    passwordRecord(2, { computerName: "PC-B", volumeType: "Unknown" }),
    record("PC-B", external("b"), { volumeType: "Unknown" }),
    passwordRecord(3, { computerName: "PC-C" }),
    record("PC-D", { kind: "ExternalKey", keyId: guid("d") }),
    // One volume of two computers.
    ...["PC-E", "PC-F"].map((name) => record(name, external("e"), { volumeId: guid("moved") })),
  ]);
  database = await site.open();
});
afterAll(async () => {
  await site.dispose();
  await maker.dispose();
});

const read = async (query: ProtectorQuery): Promise<string[]> => {
  const found: string[] = [];
  for await (const batch of database.readProtectors(query, neverStopped))
    found.push(...batch.map(({ computerName, protectorId }) => `${computerName} ${protectorId}`));
  return found.sort();
};
const named = (...pairs: readonly (readonly [computer: string, protector: string])[]): string[] =>
  pairs.map(([computer, protector]) => `${computer} ${guid(protector)}`).sort();

const ofSystem = [
  ["PC-A", "a system"],
  ["PC-A", "a agent"],
] as const;
const ofA = [...ofSystem, ["PC-A", "a data"]] as const;

test("each has what its kind has, labelled for the record", async () => {
  const found = [];
  for await (const batch of database.readProtectors({ computerNames: ["pc-a"] }, neverStopped)) found.push(...batch);
  const [first] = found;
  expect(first).toMatchObject({
    protectorType: "ExternalKey",
    thumbprint: undefined,
    volumeId: system,
    volumeType: "OperatingSystem",
    lastUpdateTime: "2026-03-01T00:00:00.000Z",
  });
  expect(first?.fileName && revealSecret(first.fileName)).toBe("a system.BEK");
  expect(first?.fileName?.label).toEqual({ keyId: guid("a system"), computerName: "PC-A", what: "protector" });
  const ofAgent = found.find(({ protectorType }) => protectorType === "DataRecoveryAgent");
  expect(ofAgent?.thumbprint && revealSecret(ofAgent.thumbprint)).toBe(thumbprint);
  expect(ofAgent?.fileName).toBeUndefined();
});

test("all of them are read, each once for each computer of its volume", async () => {
  expect(await read({})).toEqual(named(...ofA, ["PC-B", "b"], ["PC-D", "d"], ["PC-E", "e"], ["PC-F", "e"]));
});

test("of computers, also of one that has no recovery password", async () => {
  expect(await read({ computerNames: ["PC-A", "pc-d", "PC-C", "PC-A"] })).toEqual(named(...ofA, ["PC-D", "d"]));
});

test("of the volume of a key, by the key's id or by a protector's own", async () => {
  for (const id of [guid("key 0"), guid("a system"), guid("a agent"), guid("key 0").slice(0, 8)])
    expect(await read({ passwordIds: [id] })).toEqual(named(...ofSystem));
  expect(await read({ passwordIds: [guid("key 1"), guid("key 0"), guid("a data")] })).toEqual(named(...ofA));
});

test("of a key whose data named no volume, those of the same kind of volume on its computer", async () => {
  expect(await read({ passwordIds: [guid("key 2")] })).toEqual(named(["PC-B", "b"]));
});

test("every part of a question must hold", async () => {
  expect(await read({ computerNames: ["PC-A"], volumeTypes: ["FixedData"] })).toEqual(named(["PC-A", "a data"]));
  expect(await read({ computerNames: ["PC-B"], passwordIds: [guid("key 0")] })).toEqual([]);
  expect(await read({ computerNames: ["PC-E"], passwordIds: [guid("e")] })).toEqual(named(["PC-E", "e"]));
  expect(await read({ passwordIds: [guid("key 0")], volumeTypes: ["FixedData"] })).toEqual([]);
  expect(await read({ computerNames: [] })).toEqual([]);
});

test("a part of an id that is too short is refused", async () => {
  await expect(read({ passwordIds: ["ABCDEF1"] })).rejects.toMatchObject({ category: "InvalidArgument" });
});

test("a walk over more computers than a page has meets each protector once", async () => {
  const large = await maker.make();
  const names = Array.from({ length: 700 }, (_, number) => `PC-${number}`);
  await large.importRecords(
    names.flatMap((name, number) => [
      passwordRecord(number, { computerName: name }),
      ...(number % 70 === 0 ? [record(name, external(name))] : []),
    ]),
  );
  const opened = await large.open();
  const found: string[] = [];
  for await (const batch of opened.readProtectors({}, neverStopped))
    found.push(...batch.map(({ computerName }) => computerName));
  expect(found.sort()).toEqual(names.filter((_, number) => number % 70 === 0).sort());
  await large.dispose();
});
