/*
 * ATTACK: someone takes the database's files (or a backup of the folder, or the disk) and searches them for recovery keys.
 * DANGER: one copied file opens every disk of the site.
 * EXPECT: no recovery password, recovery package or TPM password hash is in any file, in any spelling, at any moment, neither in
 *   the write-ahead log while the server runs nor in the file after it.
 */
import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Secret } from "../../server/secret.ts";
import {
  collect,
  disclosing,
  createSiteMaker,
  guid,
  neverStopped,
  passwordOf,
  passwordRecord,
} from "../site-database/fixture.ts";
import type { SiteMaker } from "../site-database/fixture.ts";

let maker: SiteMaker;
let plainMaker: SiteMaker;

beforeAll(async () => {
  maker = await createSiteMaker();
  plainMaker = await createSiteMaker({ plainText: true });
});
afterAll(async () => {
  await maker.dispose();
  await plainMaker.dispose();
});

const total = 300;
const packageOf = (number: number): Buffer => Buffer.from(`recovery package ${number} of the secret kind`);
const hashOf = (number: number): string => `TPMhash${String(number).padStart(20, "0")}=`;

const records = () =>
  Array.from({ length: total }, (_, number) =>
    passwordRecord(number, {
      computerName: `PC-${number}`,
      volumeId: guid(`volume ${number}`),
      recoveryPackage: packageOf(number),
      tpmPasswordHash: new Secret(hashOf(number)),
    }),
  );

/** Every spelling of every secret: text in three forms, UTF-16, and the 16 bytes that the digits stand for. */
const needles = (): Buffer[] =>
  Array.from({ length: total }, (_, number) => {
    const password = passwordOf(number);
    const groups = password.split("-");
    const packed = Buffer.alloc(16);
    for (const [i, group] of groups.entries()) packed.writeUInt16LE(Number(group) / 11, i * 2);
    return [
      Buffer.from(password),
      Buffer.from(groups.join("")),
      Buffer.from(groups.join(" ")),
      Buffer.from(password, "utf16le"),
      // Half a key is bad enough.
      Buffer.from(groups.slice(0, 4).join("-")),
      Buffer.from(groups.slice(4).join("")),
      packed,
      packageOf(number),
      Buffer.from(hashOf(number)),
    ];
  }).flat();

const filesIn = async (directory: string): Promise<Buffer[]> =>
  Promise.all((await readdir(directory)).map((name) => readFile(join(directory, name))));

const foundIn = async (directory: string): Promise<number> => {
  const files = await filesIn(directory);
  return needles().filter((needle) => files.some((file) => file.includes(needle))).length;
};

test("no secret is in the files while the server runs, nor afterwards", async () => {
  const site = await maker.make();
  const directory = dirname(site.file);
  const database = await site.open();
  await site.importRecords(records());
  await expect(collect(disclosing(database, {}, "test", neverStopped))).resolves.toHaveLength(total);
  const names = await readdir(directory);
  expect(names).toContain("site.sqlite-wal");
  // The search is worth something only if what was written is there.
  const wal = Buffer.concat(await filesIn(directory));
  expect(wal.includes(Buffer.from("PC-17"))).toBe(true);
  expect(await foundIn(directory)).toBe(0);
  await database.close();
  expect(await foundIn(directory)).toBe(0);
  await site.dispose();
});

test("the same search finds the keys of a database that stores plain text", async () => {
  const site = await plainMaker.make();
  await site.importRecords(records());
  expect(await foundIn(dirname(site.file))).toBeGreaterThanOrEqual(3 * total);
  await site.dispose();
});
