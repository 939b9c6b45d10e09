import { afterEach, describe, expect, test } from "vitest";
import type { SiteShape } from "../../harness/tds-server/model/state.ts";
import { collect, disclosing, guid, neverStopped, passwordOf, textOf } from "../fixture.ts";
import { startSite } from "./start-site.ts";
import type { StartedSite } from "./start-site.ts";

let site: StartedSite;
afterEach(() => site.dispose());

const keys = Array.from({ length: 40 }, (_, i) => guid(`key ${i}`));

const start = async (shape: Partial<SiteShape>, storage?: "plain") => {
  site = await startSite({ shape });
  for (const [i, keyId] of keys.entries())
    site.model.add(
      {
        keyId,
        computerName: `PC-${i % 4}`,
        recoveryKey: passwordOf(i),
        volumeGuid: guid(`volume ${i % 3}`),
        volumeTypeId: i % 3 === 0 ? null : i % 3,
        // Three of each time, with what a datetime rounds and a datetime2 keeps.
        lastUpdateTime: `2026-03-0${1 + (Math.floor(i / 3) % 9)}T10:00:00.1234567`,
      },
      storage === "plain" && i % 2 === 0 ? "plain" : "encrypted",
    );
  // Pages end everywhere.
  return site.open({}, { pageRows: 3 });
};

test("a site whose GetRecoveryKey gives no packages has none", async () => {
  const database = await start({ hasPackages: false });
  await expect(database.takeRecoveryPackage(guid("key 1"), "x", neverStopped)).resolves.toBeUndefined();
});

test("no site lists other protectors or TPM password hashes, and says so", async () => {
  const database = await start({});
  expect(() => database.readProtectors({}, neverStopped)).toThrow("it has no other protectors to list");
  expect(() => database.readTpmPasswordHashes("PC-1", neverStopped)).toThrow("reads no TPM password hashes");
});

/** What public sources leave open about a site: whatever it is, each key comes once, however the pages fall. */
const shapes: readonly (readonly [string, Partial<SiteShape>])[] = [
  ["texts and datetime", {}],
  ["datetime2", { timeType: "datetime2" }],
  ["ids as uniqueidentifier", { keyIdType: "uniqueidentifier" }],
  ["volume ids as uniqueidentifier", { volumeIdType: "uniqueidentifier", timeType: "datetime2" }],
  ["no VolumeGuid and no TypeName", { hasVolumeGuid: false, hasTypeName: false }],
  ["a DecryptString with one parameter", { decryptParameters: 1 }],
];

describe.each(shapes)("a site with %s", (_, shape) => {
  test("gives each key of each computer once", async () => {
    const database = await start(shape);
    const all = await collect(database.readRecoveryKeys({}, neverStopped));
    // Three volumes on four computers, each with every volume's keys.
    expect(new Set(all.map((key) => key.passwordId))).toEqual(new Set(keys));
    expect(new Set(all.map((key) => `${key.passwordId} ${key.computerName}`)).size).toBe(all.length);
    expect(await database.countRecoveryKeys({}, neverStopped)).toBe(all.length);
    for (const key of all) expect(textOf(key)).toBe(passwordOf(keys.indexOf(key.passwordId)));
    const of = await collect(database.readRecoveryKeys({ computerNames: ["pc-1"] }, neverStopped));
    expect(of.map((key) => key.passwordId).sort()).toEqual(
      all
        .filter((key) => key.computerName === "PC-1")
        .map((key) => key.passwordId)
        .sort(),
    );
    const times = of.map((key) => key.lastUpdateTime);
    expect(times).toEqual(times.toSorted().toReversed());
  });

  test("finds by prefix, kind of volume and time, and discloses", async () => {
    const database = await start(shape);
    const [first = ""] = keys;
    const found = await collect(disclosing(database, { passwordIds: [first.slice(0, 8)] }, "test", neverStopped));
    expect(new Set(found.map((key) => key.passwordId))).toEqual(new Set([first]));
    expect(site.model.state.disclosures.map(({ keyId, reason }) => ({ keyId, reason }))).toEqual([
      { keyId: first, reason: "test" },
    ]);
    const known = await database.countRecoveryKeys({ volumeTypes: ["OperatingSystem", "FixedData"] }, neverStopped);
    const unknown = await database.countRecoveryKeys({ volumeTypes: ["Unknown"] }, neverStopped);
    expect(known).toBeGreaterThan(0);
    expect(unknown).toBeGreaterThan(0);
    expect(known + unknown).toBe(await database.countRecoveryKeys({}, neverStopped));
    // What a row shows as its time finds the row again.
    const [sample] = found;
    const again = await collect(
      database.readRecoveryKeys(
        { passwordIds: [first], since: new Date(sample?.lastUpdateTime ?? Number.NaN) },
        neverStopped,
      ),
    );
    expect(again.length).toBe(found.length);
  });
});

test("a site that stores some keys as plain text gives them all", async () => {
  const database = await start({ keyColumn: "varchar" }, "plain");
  const all = await collect(database.readRecoveryKeys({ computerNames: ["PC-0"] }, neverStopped));
  for (const key of all) expect(textOf(key)).toBe(passwordOf(keys.indexOf(key.passwordId)));
  expect(all.length).toBeGreaterThan(3);
});

test("a site without GetRecoveryKey reads but discloses nothing", async () => {
  const database = await start({ hasGetRecoveryKey: false });
  await expect(collect(disclosing(database, {}, "test", neverStopped))).rejects.toMatchObject({
    category: "ResourceUnavailable",
    message: expect.stringContaining("disclosed"),
  });
  expect(site.model.state.disclosures).toEqual([]);
  expect((await collect(database.readRecoveryKeys({}, neverStopped))).length).toBeGreaterThan(0);
});

test("searches go to the secondary where that is wanted, and what marks keys to the primary", async () => {
  const database = await start({});
  site.model.state.role = "by intent";
  const reading = await site.open({ applicationIntent: "ReadOnly" });
  const [first = ""] = keys;
  await collect(disclosing(reading, { passwordIds: [first] }, "test", neverStopped));
  expect(site.model.state.disclosures).toHaveLength(1);
  expect(reading.connections.searches).not.toBe(reading.connections.writes);
  expect(new Set(site.server.logins().map((login) => login.readOnlyIntent))).toEqual(new Set([true, false]));
  expect(database.connections.searches).toBe(database.connections.writes);
});

test("on a secondary alone a disclosure says that writing needs the primary", async () => {
  const database = await start({});
  site.model.state.role = "secondary";
  await expect(collect(disclosing(database, {}, "test", neverStopped))).rejects.toMatchObject({
    category: "ResourceUnavailable",
    message: expect.stringContaining("primary"),
  });
});
