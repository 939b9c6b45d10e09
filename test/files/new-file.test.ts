import { linkSync, lstatSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ownSecret } from "../../server/files/judge.ts";
import { openFresh, writeNewFile } from "../../server/files/new-file.ts";
import { readTrustedSync } from "../../server/files/trusted-file.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

test("a new file is whole, has one name, and is never written over", () => {
  const directory = temporaryDirectory();
  const path = join(directory, "key");
  expect(writeNewFile(path, "first", 0o600)).toBe(true);
  expect(writeNewFile(path, "second", 0o600)).toBe(false);
  expect(readFileSync(path, "utf8")).toBe("first");
  expect(statSync(path)).toMatchObject({ nlink: 1, mode: 0o100600 });
  expect(readdirSync(directory)).toEqual(["key"]);
});

test("the second name that a crash leaves is taken away by the next one, and no other file is", () => {
  const directory = temporaryDirectory();
  const path = join(directory, "key");
  writeNewFile(path, "key", 0o600);
  linkSync(path, `${path}.new-4711`);
  writeFileSync(`${path}.new-4712`, "of another process");
  expect(() => readTrustedSync(path, ownSecret("key"))).toThrow("2 names");
  expect(writeNewFile(path, "key", 0o600)).toBe(false);
  expect(readTrustedSync(path, ownSecret("key")).toString()).toBe("key");
  expect(readdirSync(directory)).toEqual(["key", "key.new-4712"]);
});

test("a fresh file is written, and never what a link in its place leads to", async () => {
  const directory = temporaryDirectory();
  const path = join(directory, "checkpoint.new");
  writeFileSync(join(directory, "elsewhere"), "untouched");
  symlinkSync(join(directory, "elsewhere"), path);
  const file = await openFresh(path);
  await file.writeFile("note");
  await file.close();
  expect(lstatSync(path).isFile()).toBe(true);
  expect(readFileSync(path, "utf8")).toBe("note");
  expect(readFileSync(join(directory, "elsewhere"), "utf8")).toBe("untouched");
});
