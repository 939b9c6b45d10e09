/*
 * ATTACK  A program that may write files, but not choose all of their bytes, leaves one under `authorized-keys/`: a database with a key
 *         in one of its rows. Or a file elsewhere, whose lines the attacker may choose, gets a second name there.
 * DANGER  One line of it reads as a key, and the attacker logs in as that user.
 * EXPECT  A file that is no text, and one that has more than one name, gives nobody a key, and is reported. The keys of others count.
 */
import { linkSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { readAuthorizedKeys } from "../../server/identity/authorized-keys.ts";
import { ed25519Key } from "../harness/signing-key.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

const { line } = ed25519Key();
const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");

const plant: Readonly<Record<string, readonly [(path: string, elsewhere: string) => void, RegExp]>> = {
  "a database": [
    (path) => {
      const database = new DatabaseSync(`${path}.made`);
      database.exec("CREATE TABLE notes (text TEXT)");
      database.prepare("INSERT INTO notes VALUES (?)").run(`\n${line}\n`);
      database.prepare("VACUUM INTO ?").run(path);
      database.close();
    },
    /control characters|not text/,
  ],
  "a NUL byte behind the key": [(path) => writeFileSync(path, `${line}\n\0`), /control characters/],
  "an escape before it": [(path) => writeFileSync(path, `\u001B[2J\n${line}\n`), /control characters/],
  "bytes that are no UTF-8": [(path) => writeFileSync(path, latin1(`\xff\xfe\n${line}\n`)), /not text in UTF-8/],
  "UTF-16": [(path) => writeFileSync(path, Buffer.from(`\uFEFF${line}\n`, "utf16le")), /not text|control/],
  "a file with a second name": [
    (path, elsewhere) => {
      writeFileSync(elsewhere, `${line}\n`);
      linkSync(elsewhere, path);
    },
    /2 names/,
  ],
};

test.each(Object.entries(plant))("%s gives nobody a key", (_what, [put, words]) => {
  const directory = temporaryDirectory();
  const folder = join(directory, "authorized-keys");
  mkdirSync(folder, { mode: 0o700 });
  writeFileSync(join(folder, "support"), `# Müller\r\n\t${line} comment\r\n`, { mode: 0o600 });
  const before = process.umask(0o077);
  try {
    put(join(folder, "exporter"), join(directory, "elsewhere"));
  } finally {
    process.umask(before);
  }
  const keys = readAuthorizedKeys(folder);
  expect(keys.keysOf("exporter")).toEqual([]);
  expect(keys.keysOf("support")).toHaveLength(1);
  expect(keys.problems.filter((problem) => problem.includes("exporter:"))).toEqual([expect.stringMatching(words)]);
});
