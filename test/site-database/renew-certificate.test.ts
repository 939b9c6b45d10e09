import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  createMasterKeyFile,
  openRecoveryRecordWriter,
  renewMasterKey,
} from "../../server/site-database/embedded/index.ts";
import type { RenewalStep } from "../../server/site-database/embedded/index.ts";
import {
  asImportRecord,
  collect,
  createSiteMaker,
  neverStopped,
  passwordOf,
  passwordRecord,
  textOf,
  waysToRead,
} from "./fixture.ts";
import type { SiteMaker, TestSite } from "./fixture.ts";
import { backupOf, renew, retire } from "./renewal.ts";

const count = 1200;
let maker: SiteMaker;
let filled: TestSite;
const made: TestSite[] = [];

beforeAll(async () => {
  maker = await createSiteMaker();
  filled = await maker.make();
  await filled.importRecords(Array.from({ length: count }, (_, n) => passwordRecord(n)));
});
afterEach(async () => {
  for (const site of made.splice(0)) await site.dispose();
});
afterAll(async () => {
  await filled.dispose();
  await maker.dispose();
});

const makeSite = async (): Promise<TestSite> => {
  const site = await maker.make();
  made.push(site);
  await copyFile(filled.file, site.file);
  const state = filled.record.newest();
  if (state !== undefined) await site.record.written(state);
  return site;
};

const renewed = (site: TestSite, onProgress: (cells: number) => void = () => undefined) =>
  renew(site, { recorded: site.record.newest(), onProgress });

test("says each step before it counts, and moves every cell once", async () => {
  const site = await makeSite();
  const steps: RenewalStep[] = [];
  const looked: number[] = [];
  const record = async (step: RenewalStep): Promise<void> => void steps.push(step);
  const recorded = site.record.newest();
  const done = await renew(site, { recorded, record, onProgress: (cells) => looked.push(cells) });
  expect(done).toMatchObject({ moved: count, counts: { newest: count, older: 0, closed: 0 } });
  expect(looked.at(-1)).toBe(count);
  expect(looked.length).toBeGreaterThan(1);
  await expect(renew(site, { recorded, record })).resolves.toMatchObject({ moved: 0, thumbprint: done.thumbprint });
  await retire(site, { recorded, record });
  expect(steps.map(({ step, moved }) => [step, moved])).toEqual([
    ["began", 0],
    ["moved", count],
    ["retired", 0],
  ]);
});

test("a step that can't be put on the record is not done", async () => {
  const site = await makeSite();
  const before = site.look("SELECT * FROM sys_certificates");
  const record = (): Promise<void> => Promise.reject(new Error("the disk is full"));
  await expect(renew(site, { recorded: site.record.newest(), record })).rejects.toThrow("not available");
  expect(site.look("SELECT * FROM sys_certificates")).toEqual(before);
});

describe.each(waysToRead)("while keys are read, %s", (_way, options) => {
  test("an export that began before goes on to its last key", async () => {
    const site = await makeSite();
    const database = await site.open(options);
    const batches = database.readRecoveryKeys({}, neverStopped)[Symbol.asyncIterator]();
    const first = await batches.next();
    await renewed(site);
    const read = [...(first.value ?? [])];
    for (let next = await batches.next(); next.done !== true; next = await batches.next()) read.push(...next.value);
    expect(read.map((found) => textOf(found) ?? "").toSorted()).toEqual(
      Array.from({ length: count }, (_, n) => passwordOf(n)).toSorted(),
    );
  });
});

test("keys are disclosed and imported while others move", async () => {
  const site = await makeSite();
  const database = await site.open();
  let during: Promise<unknown> | undefined;
  const done = await renewed(site, () => {
    during ??= Promise.all([
      site.importRecords([passwordRecord(9001), passwordRecord(9002)]),
      collect(database.readRecoveryKeys({}, neverStopped)).then(([key]) =>
        database.markDisclosed([key?.passwordId ?? ""], "x", neverStopped),
      ),
    ]);
  });
  await during;
  expect(done.counts.closed).toBe(0);
  await retire(site, { recorded: site.record.newest() });
  await expect(collect(database.readRecoveryKeys({}, neverStopped))).resolves.toHaveLength(count + 2);
});

test("an import that was read before, and ends after, imports nothing rather than what nobody opens", async () => {
  const site = await makeSite();
  const { file, masterKeyFile } = site;
  const masterKey = { kind: "file", path: masterKeyFile } as const;
  const writer = openRecoveryRecordWriter({ file, masterKey, record: asImportRecord(site.record) });
  async function* records() {
    yield passwordRecord(9001);
    await renewed(site);
    yield passwordRecord(9002);
  }
  const importing = writer.importFile(records(), { onProgress: () => undefined, signal: neverStopped });
  await expect(importing).rejects.toThrow("import it again");
  await writer.close();
  await site.importRecords([passwordRecord(9001), passwordRecord(9002)]);
  await expect(site.inspect(true)).resolves.toMatchObject({ cells: { newest: count + 2, closed: 0 } });
});

const findingOf = async (site: TestSite): Promise<string | undefined> => {
  const { findings } = await (await site.open()).verifyCertificate(neverStopped);
  return findings.find(({ check }) => check === "renewal")?.finding;
};

test("verify-cert knows each state, and stays valid in all of them", async () => {
  const site = await makeSite();
  await expect(findingOf(site)).resolves.toBeUndefined();
  await renewed(site, () => {
    throw new Error("ended");
  }).catch(() => undefined);
  await expect(findingOf(site)).resolves.toMatch(
    /Of \d+ keys? looked at, \d+ open with the new one alone and [1-9]\d* with both.*pep renew-cert\. It goes on/,
  );
  await expect((await site.open()).verifyCertificate(neverStopped)).resolves.toMatchObject({ valid: true });
  await renewed(site);
  await expect(findingOf(site)).resolves.toMatch(/and 0 with both.*--retire-old/);
  await retire(site, { recorded: site.record.newest() });
  await expect(findingOf(site)).resolves.toBeUndefined();
});

describe("after a loss", () => {
  test("an older copy of the database opens with the older backup", async () => {
    const site = await makeSite();
    await (await site.open()).backupCertificate(backupOf("old"), neverStopped);
    const older = join(site.directory, "older.sqlite");
    await copyFile(site.file, older);
    await renewed(site);
    await retire(site, { recorded: site.record.newest() });
    await copyFile(older, site.file);
    site.tamper("DELETE FROM sys_certificates");
    const database = await site.open();
    await database.restoreCertificate(backupOf("old"), neverStopped);
    await expect(collect(database.readRecoveryKeys({}, neverStopped))).resolves.toHaveLength(count);
  });

  test("the new backup alone opens every key in the middle of a renewal, with a new master key too", async () => {
    const site = await makeSite();
    await renewed(site, () => {
      throw new Error("ended");
    }).catch(() => undefined);
    site.tamper("DELETE FROM sys_database_permissions");
    const database = await site.open();
    await database.restoreCertificate(backupOf("new"), neverStopped);
    await expect(collect(database.readRecoveryKeys({}, neverStopped))).resolves.toHaveLength(count);
    await database.close();

    const path = join(site.directory, "another-master-key");
    await createMasterKeyFile(path);
    const lost = renewMasterKey(
      {
        file: site.file,
        backupDirectory: site.backupDirectory,
        request: backupOf("new"),
        recorded: site.record.newest(),
        newMasterKey: async () => ({ kind: "file", path }),
        renewed: async ({ state }) => site.record.written(state),
      },
      neverStopped,
    );
    await expect(lost).resolves.toMatchObject({ unreadableCells: 0, wrongRows: 0 });
    await copyFile(path, site.masterKeyFile);
    await expect(site.inspect(true)).resolves.toMatchObject({ cells: { newest: count, older: 0, closed: 0 } });
    expect(site.look("SELECT name FROM sys_certificates")).toEqual([["BitLockerManagement_CERT"]]);
  });
});

test("a cell that no certificate opens is counted by doctor, with its key", async () => {
  const site = await makeSite();
  site.tamper("UPDATE RecoveryAndHardwareCore_Keys SET RecoveryKey = randomblob(84) WHERE Id = 2");
  await expect(site.inspect(false)).resolves.toMatchObject({
    cells: { newest: count - 1, closed: 1, closedKeys: 1, firstClosed: expect.stringMatching(/^[0-9A-F-]{36}$/) },
  });
});

test("plain text has no certificate to renew", async () => {
  const plain = await createSiteMaker({ plainText: true });
  const site = await plain.make();
  made.push(site);
  await expect(renewed(site)).rejects.toMatchObject({ category: "ObjectNotFound" });
  await plain.dispose();
});

test("the name of the backup of the certificate that is there is no new one", async () => {
  const site = await makeSite();
  await (await site.open()).backupCertificate(backupOf("new"), neverStopped);
  await expect(renewed(site)).rejects.toMatchObject({ category: "ResourceExists" });
});
