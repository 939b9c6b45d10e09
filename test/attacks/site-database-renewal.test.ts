/*
 * ATTACK: a renewal of the certificate is killed at any point. Or the old certificate is taken out too early: before every key has moved, or
 *   without a backup of the new one. Or somebody who has the old one's private key wrote cells of their own before the renewal, and reads copies
 *   of the file after it.
 * DANGER: keys that no certificate opens, lost without a word; or a caller is told a key of the attacker's making, made good by the renewal.
 * EXPECT: each key opens at each point, and the renewal goes on when it is run again. The old certificate stays until every cell and a backup
 *   that was opened a moment ago agree. A cell is moved only where its keyed fingerprint is that of the import. The old key opens nothing after.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import type { KeyObject } from "node:crypto";
import { revealSecret } from "../../server/secret.ts";
import { openBackup } from "../../server/site-database/open-backup.ts";
import { sealCell } from "../../server/site-database/embedded/cells.ts";
import { unwrapDataKey } from "../../server/site-database/embedded/data-key.ts";
import { cellColumns } from "../../server/site-database/embedded/schema.ts";
import { withCompileCache } from "../harness/compile-cache.ts";
import { collect, guid, neverStopped, passwordOf, passwordRecord, textOf } from "../site-database/fixture.ts";
import { madeSites } from "../site-database/made-sites.ts";
import type { TestSite } from "../site-database/fixture.ts";
import { backupOf, renew, retire } from "../site-database/renewal.ts";

const keys = "RecoveryAndHardwareCore_Keys";
const count = 700; // three pages

const newSite = madeSites();

const makeSite = async (): Promise<TestSite> => {
  const site = await newSite();
  await site.importRecords(
    Array.from({ length: count }, (_, n) =>
      passwordRecord(n, n === 0 ? { recoveryPackage: Uint8Array.of(1, 2, 3) } : {}),
    ),
  );
  return site;
};

const readAll = async (site: TestSite): Promise<readonly string[]> => {
  const database = await site.open();
  const read = await collect(database.readRecoveryKeys({}, neverStopped));
  await database.close();
  return read.map((found) => textOf(found) ?? "").toSorted();
};
const everyKey = Array.from({ length: count }, (_, n) => passwordOf(n)).toSorted();

/** Runs a step in a process of its own, and kills it there. */
const killedAt = async (site: TestSite, what: "renew" | "retire", at: string): Promise<void> => {
  const { file, masterKeyFile, backupDirectory } = site;
  const child = fork(
    new URL("../site-database/renewal-process.ts", import.meta.url),
    [file, masterKeyFile, backupDirectory, JSON.stringify(site.record.newest()), what, at],
    { env: withCompileCache(), execArgv: ["--no-warnings"] },
  );
  const [message] = await Promise.race([once(child, "message"), once(child, "exit").then(() => ["ended"])]);
  expect(message, at).toBe("there");
  child.kill("SIGKILL");
  await once(child, "exit");
};

test("killed at each point, again and again: no key is lost, and it goes on to its end", async () => {
  const site = await makeSite();
  const { cells: before } = await site.inspect(false);
  expect(before).toEqual({ newest: count + 1, older: 0, closed: 0, closedKeys: 0 });
  const open = async (): Promise<unknown> => {
    expect(await readAll(site)).toEqual(everyKey);
    const { cells } = await site.inspect(false);
    expect(cells?.closed).toBe(0);
    return cells;
  };
  await killedAt(site, "renew", "began");
  expect(await open()).toEqual(before);
  await killedAt(site, "renew", "page 1");
  await expect(open()).resolves.toMatchObject({ newest: 250, older: count + 1 - 250 });
  await killedAt(site, "renew", "page 2");
  await expect(open()).resolves.toMatchObject({ newest: 500 });
  await killedAt(site, "renew", "moved");
  expect(await open()).toEqual(before);
  await killedAt(site, "retire", "retired");
  expect(await open()).toEqual(before);
  await retire(site, { recorded: site.record.newest() });
  expect(await open()).toEqual(before);
  expect(site.look("SELECT name FROM sys_certificates")).toEqual([["BitLockerManagement_CERT"]]);
  await expect(site.inspect(true)).resolves.toMatchObject({ certificate: { valid: true }, set: { isRecorded: true } });
});

test("the old one stays while a cell has not moved, and without a backup of the new one", async () => {
  const site = await makeSite();
  const recorded = site.record.newest();
  const database = await site.open();
  await database.backupCertificate(backupOf("old"), neverStopped);
  await expect(retire(site, { recorded })).rejects.toThrow("No old certificate");
  await killedAt(site, "renew", "page 1");
  await expect(retire(site, { recorded })).rejects.toThrow(`${count + 1 - 250} encrypted cells have not moved`);
  await renew(site, { recorded });
  await expect(retire(site, { recorded, name: "old" })).rejects.toThrow("not a backup of the new certificate");
  await expect(retire(site, { recorded, name: "none" })).rejects.toMatchObject({ category: "ObjectNotFound" });
  expect(site.look("SELECT count(*) FROM sys_certificates")).toEqual([[2]]);
  await expect(database.restoreCertificate(backupOf("old"), neverStopped)).rejects.toThrow(
    "backup of the old certificate",
  );
  await database.backupCertificate(backupOf("second"), neverStopped);
  await retire(site, { recorded, name: "second" });
  expect(site.look("SELECT count(*) FROM sys_certificates")).toEqual([[1]]);
  expect(await readAll(site)).toEqual(everyKey);
});

/** What somebody has who took the old private key, and the file. */
const dataKeysOf = async (site: TestSite, name: string): Promise<readonly KeyObject[]> => {
  const { privateKey } = await openBackup(site.backupDirectory, backupOf(name), revealSecret(backupOf(name).password));
  return site.look("SELECT wrapped_key FROM data_keys").flatMap(([wrapped]) => {
    try {
      return wrapped instanceof Uint8Array ? [unwrapDataKey(privateKey, wrapped)] : [];
    } catch {
      return [];
    }
  });
};

test("a cell that the old key's thief wrote is not made good, and the old key opens nothing afterwards", async () => {
  const site = await makeSite();
  const recorded = site.record.newest();
  await (await site.open()).backupCertificate(backupOf("old"), neverStopped);
  const [theirs] = await dataKeysOf(site, "old");
  if (theirs === undefined) throw new Error("no data key");
  const [row] = site.look(`SELECT Id FROM ${keys} WHERE RecoveryKeyId = '${guid("key 1")}'`);
  const [rowId] = row ?? [];
  const [kept] = site.look(`SELECT RecoveryKey FROM ${keys} WHERE Id = ${String(rowId)}`)[0] ?? [];
  const address = { ...cellColumns.recoveryKey, rowId: Number(rowId), subject: guid("key 1") };
  site.tamper(
    `UPDATE ${keys} SET RecoveryKey = ? WHERE Id = ${String(rowId)}`,
    sealCell(theirs, address, Buffer.from(passwordOf(9999))),
  );

  await expect(renew(site, { recorded })).resolves.toMatchObject({ counts: { closed: 1, firstClosed: guid("key 1") } });
  await expect(retire(site, { recorded })).rejects.toThrow("1 encrypted cells open with no certificate");
  if (!(kept instanceof Uint8Array)) throw new Error("no cell");
  site.tamper(`UPDATE ${keys} SET RecoveryKey = ? WHERE Id = ${String(rowId)}`, kept);
  await renew(site, { recorded });
  await retire(site, { recorded });
  await expect(dataKeysOf(site, "old")).resolves.toEqual([]);
  expect(await readAll(site)).toEqual(everyKey);
});
