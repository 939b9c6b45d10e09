import { mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { Secret } from "../../server/secret.ts";
import {
  createEmbeddedSiteDatabase,
  createMasterKeyFile,
  openEmbeddedSiteDatabase,
} from "../../server/site-database/embedded/index.ts";
import { searchQueries } from "../../server/site-database/embedded/search-keys.ts";
import { namesakeQueries } from "../../server/site-database/embedded/namesakes.ts";
import { protectorQueries } from "../../server/site-database/embedded/read-protectors.ts";
import { pageQueries } from "../../server/site-database/embedded/key-pages.ts";
import { collect, disclosing, guid, neverStopped, passwordOf, passwordRecord, textOf, keepRecord } from "./fixture.ts";
import { madeSites } from "./made-sites.ts";
import { aliveBytes } from "../harness/memory.ts";
import { rounds } from "../harness/share.ts";

const newSite = madeSites();
const newPlainSite = madeSites({ plainText: true });

describe("making and opening", () => {
  test("makes files that only their owner can read", async () => {
    const site = await newSite();
    const path = join(site.directory, "data", "second.sqlite");
    await createEmbeddedSiteDatabase({ file: path, masterKey: { kind: "file", path: site.masterKeyFile } });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(site.masterKeyFile)).mode & 0o777).toBe(0o600);
  });

  test("refuses to make a database or a master key where one is", async () => {
    const site = await newSite();
    const before = await readFile(site.file);
    const again = createEmbeddedSiteDatabase({
      file: site.file,
      masterKey: { kind: "file", path: site.masterKeyFile },
    });
    await expect(again).rejects.toMatchObject({ category: "ResourceExists" });
    await expect(createMasterKeyFile(site.masterKeyFile)).rejects.toMatchObject({ category: "ResourceExists" });
    expect(await readFile(site.file)).toEqual(before);
  });

  test("leaves no file behind when making one fails", async () => {
    const site = await newSite();
    const file = join(site.directory, "data", "third.sqlite");
    const missing = { kind: "file", path: join(site.directory, "nothing") } as const;
    await expect(createEmbeddedSiteDatabase({ file, masterKey: missing })).rejects.toMatchObject({
      category: "ResourceUnavailable",
    });
    await expect(stat(file)).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("opens with a password where it was made with one, and only with that one", async () => {
    const site = await newSite();
    const file = join(site.directory, "data", "password.sqlite");
    const right = { kind: "password", password: new Secret("Correct-Horse-42") } as const;
    await createEmbeddedSiteDatabase({ file, masterKey: right });
    const database = await openEmbeddedSiteDatabase({ file, masterKey: right, record: keepRecord() });
    await expect(database.verifyCertificate(neverStopped)).resolves.toMatchObject({ valid: true });
    await database.close();
    const wrong = { kind: "password", password: new Secret("Correct-Horse-43") } as const;
    for (const masterKey of [wrong, { kind: "file", path: site.masterKeyFile } as const])
      await expect(openEmbeddedSiteDatabase({ file, masterKey, record: keepRecord() })).rejects.toMatchObject({
        category: "ResourceUnavailable",
        message: expect.stringContaining("master key"),
      });
  });

  test("refuses a weak password for the master key", async () => {
    const site = await newSite();
    const masterKey = { kind: "password", password: new Secret("secret") } as const;
    await expect(createEmbeddedSiteDatabase({ file: `${site.file}2`, masterKey })).rejects.toMatchObject({
      category: "InvalidArgument",
    });
  });

  test("says what is wrong with a file that is no site database", async () => {
    const site = await newSite();
    const masterKey = { kind: "file", path: site.masterKeyFile } as const;
    const other = join(site.directory, "other");
    await writeFile(`${other}.text`, "not a database at all, but longer than a header ".repeat(10));
    await writeFile(`${other}.empty`, "");
    new DatabaseSync(`${other}.sqlite`).close();
    for (const file of [`${other}.text`, `${other}.empty`, `${other}.sqlite`, `${other}.missing`, site.directory])
      await expect(openEmbeddedSiteDatabase({ file, masterKey, record: keepRecord() })).rejects.toMatchObject({
        category: "ResourceUnavailable",
      });
    await expect(stat(`${other}.missing`)).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("refuses a database of a later version", async () => {
    const site = await newSite();
    site.tamper("PRAGMA user_version = 5");
    await expect(site.open()).rejects.toMatchObject({
      category: "ResourceUnavailable",
      message: expect.stringContaining("version"),
    });
  });

  test("refuses a backup directory inside the data directory, also through a link", async () => {
    const site = await newSite();
    const masterKey = { kind: "file", path: site.masterKeyFile } as const;
    const inside = join(site.directory, "data", "backup");
    await mkdir(inside);
    await symlink(inside, join(site.directory, "outside"));
    for (const backupDirectory of [
      inside,
      join(site.directory, "data"),
      join(site.directory, "outside"),
      join(site.directory, "outside", "not-yet-there"),
    ])
      await expect(
        openEmbeddedSiteDatabase({ file: site.file, masterKey, record: site.record, backupDirectory }),
      ).rejects.toMatchObject({
        message: "The backup directory must lie outside the data directory.",
      });
  });

  test("makes no backup where no directory is configured", async () => {
    const site = await newSite();
    const masterKey = { kind: "file", path: site.masterKeyFile } as const;
    const database = await openEmbeddedSiteDatabase({ file: site.file, masterKey, record: site.record });
    const request = { name: "x", form: "Pfx", password: new Secret("Correct-Horse-42") } as const;
    await expect(database.backupCertificate(request, neverStopped)).rejects.toMatchObject({
      category: "ResourceUnavailable",
    });
    await database.close();
  });
});

describe("plain-text storage", () => {
  test("stores and reads keys without a certificate where it was chosen", async () => {
    const site = await newPlainSite();
    await site.importRecords([passwordRecord(1)]);
    const database = await site.open();
    const [key] = await collect(disclosing(database, {}, "test", neverStopped));
    expect(textOf(key)).toBe(passwordOf(1));
    expect(site.look("SELECT RecoveryKey FROM RecoveryAndHardwareCore_Keys")).toEqual([[passwordOf(1)]]);
  });

  test("says in the verification that there is no certificate and that keys are in plain text", async () => {
    const site = await newPlainSite();
    await site.importRecords([passwordRecord(1), passwordRecord(2)]);
    const database = await site.open();
    const { microsoftCheck, valid, findings } = await database.verifyCertificate(neverStopped);
    expect({ microsoftCheck, valid }).toEqual({ microsoftCheck: false, valid: false });
    expect(findings.map((one) => [one.check, one.passed])).toEqual([
      ["certificate", false],
      ["plain-text", false],
    ]);
    expect(findings[1]?.finding).toContain("2 recovery keys");
    const request = { name: "x", form: "Pfx", password: new Secret("Correct-Horse-42") } as const;
    await expect(database.backupCertificate(request, neverStopped)).rejects.toMatchObject({
      category: "ResourceUnavailable",
    });
  });
});

describe("locks", () => {
  test("waits for another process's write lock without stopping the event loop", async () => {
    const site = await newSite();
    await site.importRecords([passwordRecord(1)]);
    const database = await site.open();
    const other = new DatabaseSync(site.file);
    other.exec("BEGIN IMMEDIATE");
    let settled = false;
    const disclosure = collect(disclosing(database, {}, "test", neverStopped)).finally(() => {
      settled = true;
    });
    // Reading goes on meanwhile, which it could not do if the loop were held.
    for (let turn = 0; turn < 20; turn += 1)
      expect(await collect(database.readRecoveryKeys({}, neverStopped))).toHaveLength(1);
    expect(settled).toBe(false);
    other.exec("COMMIT");
    other.close();
    await expect(disclosure).resolves.toHaveLength(1);
  });

  test("gives up after its time, without having shown a key", async () => {
    const site = await newSite();
    await site.importRecords([passwordRecord(1)]);
    const database = await site.open({ lockWaitMs: 30 });
    const other = new DatabaseSync(site.file);
    other.exec("BEGIN IMMEDIATE");
    await expect(collect(disclosing(database, {}, "test", neverStopped))).rejects.toMatchObject({
      category: "ResourceUnavailable",
    });
    other.exec("ROLLBACK");
    other.close();
    expect(site.look("SELECT Disclosed FROM RecoveryAndHardwareCore_Keys")).toEqual([[0]]);
  });

  test("stops waiting when it is stopped", async () => {
    const site = await newSite();
    await site.importRecords([passwordRecord(1)]);
    const database = await site.open({ lockWaitMs: 60_000 });
    const other = new DatabaseSync(site.file);
    other.exec("BEGIN IMMEDIATE");
    const stopping = new AbortController();
    const disclosure = collect(disclosing(database, {}, "test", stopping.signal));
    stopping.abort();
    await expect(disclosure).rejects.toMatchObject({ category: "OperationStopped" });
    other.close();
  });
});

describe("large sites", () => {
  test("plans every page from an index, without a sort and without a scan", async () => {
    const site = await newSite();
    for (const [name, sql] of Object.entries({ ...pageQueries(true), ...namesakeQueries, ...protectorQueries })) {
      const plan = site.look(`EXPLAIN QUERY PLAN ${sql.replaceAll("?", "1")}`).map((row) => String(row[3]));
      expect(
        plan.filter((step) => /SCAN|TEMP B-TREE/.test(step)),
        name,
      ).toEqual([]);
    }
  });

  test("plans a search along an index, in its order, without the table", async () => {
    const site = await newSite();
    for (const sql of Object.values(searchQueries).flatMap((queries) => Object.values(queries))) {
      const plan = site.look(`EXPLAIN QUERY PLAN ${sql.replaceAll("?", "1")}`).map((row) => String(row[3]));
      // That the end of a page is the last of it takes a subquery, which holds no table.
      const steps = plan.filter((step) => !/^(?:CO-ROUTINE|SEARCH) \(subquery-\d+\)$/.test(step));
      expect(steps).toEqual([expect.stringMatching(/^SEARCH \w+ USING COVERING INDEX /)]);
    }
  });

  test("walks a machine with many keys and machines with none, every key once", async () => {
    const site = await newSite();
    const records = [
      ...Array.from({ length: 700 }, (_, n) =>
        passwordRecord(n, {
          computerName: "BIG",
          volumeId: guid("one volume"),
          lastUpdateTime: new Date(Date.UTC(2026, 0, 1, 0, n)).toISOString(),
        }),
      ),
      ...Array.from({ length: 300 }, (_, n) =>
        passwordRecord(1000 + n, { computerName: "BIG", volumeId: guid(`v${n}`) }),
      ),
      ...Array.from({ length: 600 }, (_, n) => ({
        ...passwordRecord(2000 + n),
        protector: { kind: "ExternalKey", keyId: guid(`external ${n}`) } as const,
      })),
      ...Array.from({ length: 50 }, (_, n) => passwordRecord(3000 + n)),
    ];
    await site.importRecords(records);
    const database = await site.open();
    const all = await collect(database.readRecoveryKeys({}, neverStopped));
    expect(all).toHaveLength(1050);
    expect(new Set(all.map((key) => key.passwordId)).size).toBe(1050);
    const big = await collect(database.readRecoveryKeys({ computerNames: ["big", "PC-3001", "none"] }, neverStopped));
    expect(new Set(big.map((key) => key.passwordId)).size).toBe(1001);
    expect(big).toHaveLength(1001);
    await expect(database.countRecoveryKeys({ latest: true, computerNames: ["BIG"] }, neverStopped)).resolves.toBe(301);
  });

  const total = rounds(30_000, 100_000);
  test(`streams ${total} keys in memory that does not grow with them`, { timeout: 180_000 }, async () => {
    const site = await newSite();
    function* records() {
      for (let number = 0; number < total; number += 1)
        yield passwordRecord(number, { computerName: `PC-${number >> 2}`, lastUpdateTime: "2026-01-01T00:00:00.000Z" });
    }
    await expect(site.importRecords(records())).resolves.toEqual({ added: total, unchanged: 0 });
    const database = await site.open();
    let seen = 0;
    let early = 0;
    let late = 0;
    for await (const batch of database.readRecoveryKeys({}, neverStopped)) {
      const before = seen;
      seen += batch.length;
      if (before < total * 0.1 && seen >= total * 0.1) early = aliveBytes();
      if (before < total * 0.95 && seen >= total * 0.95) late = aliveBytes();
    }
    expect(seen).toBe(total);
    // Kept rows would be 85,000 × some 500 bytes, about 40 MB.
    expect(late - early).toBeLessThan(8 * 1024 * 1024);
  });
});
