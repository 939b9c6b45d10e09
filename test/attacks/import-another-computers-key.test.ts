/*
 * ATTACK  A file names other computers than --computer-name does: in JSON rows, in headings of a text, beside a key in prose, in a
 *         list whose object names its computer last, or not at all for several keys.
 * DANGER  The key of one computer is filed under another. The user on the telephone is read a key that does not open the disk, and whoever
 *         may see the one computer sees the other's key.
 * EXPECT  Each computer named beside a key is honoured, or the file is refused whole. Keys that name none are taken for one key, or where
 *         the file is of one computer by its nature.
 */
import { expect, test } from "vitest";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { createRandom, makeGuid, makePassword, readAll, writeFile } from "../import/recovery-data.ts";

const random = createRandom(11);
const keys = Array.from({ length: 2 }, () => ({ id: makeGuid(random), password: makePassword(random) }));
const [one, two] = keys as [(typeof keys)[0], (typeof keys)[0]];

const row = (computer: string, { id, password }: typeof one, more = {}): Record<string, unknown> => ({
  ComputerName: computer,
  KeyProtectorType: 3,
  KeyProtectorId: `{${id}}`,
  RecoveryPassword: password,
  ...more,
});
const bde = (heading: string, { id, password }: typeof one): string =>
  `${heading}\n\nVolume C: [OS]\n\n    Numerical Password:\n      ID: {${id}}\n      Password:\n        ${password}\n\n`;
const ticket = (computer: string, { id, password }: typeof one): string => `${computer} Id: ${id} Key: ${password}\n`;

test.each([
  ["rows of JSON", JSON.stringify([row("PC-A001", one), row("PC-B002", two)])],
  [
    "a volume within another's object",
    JSON.stringify({ ComputerName: "PC-B002", Drives: [{ Keys: [{ Id: two.id, Password: two.password }] }] }),
  ],
  [
    "Graph's keys with a name added",
    JSON.stringify([{ id: two.id, key: two.password, deviceId: one.id, deviceName: "PC-B002" }]),
  ],
  [
    "a list whose object names its computer last",
    JSON.stringify({ value: [{ id: two.id, key: two.password }], ComputerName: "PC-B002" }),
  ],
  ["headings of manage-bde", bde("Computer Name: PC-A001", one) + bde("Computer Name: PC-B002", two)],
  [
    "the distinguished name of a report",
    `Accessing object: LDAP://CN=PC-B002,OU=PCs,DC=corp\n\nmsFVE-RecoveryGuid: {${two.id}}\nmsFVE-RecoveryPassword: ${two.password}\n`,
  ],
  ["a ticket in prose", ticket("PC-A001", one) + ticket("PC-B002", two)],
  ["rows without a header", `PC-A001;${one.id};${one.password}\nPC-B002;${two.id};${two.password}\n`],
  [
    "columns of a console's table",
    `PSComputerName KeyProtectorId ${" ".repeat(24)}RecoveryPassword\n-------------- ${"-".repeat(38)} ${"-".repeat(55)}\nPC-B002        {${two.id}} ${two.password}\n`,
  ],
  ["two keys that name no computer", `Id,Key\n${one.id},${one.password}\n${two.id},${two.password}\n`],
])("%s: nothing is filed under the computer of --computer-name", async (_, text) => {
  const path = writeFile(temporaryDirectory(), "keys", text);
  await expect(readAll(path, { computerName: "PC-A001" })).rejects.toMatchObject({
    category: "InvalidArgument",
    message: expect.stringMatching(
      /another computer|names its computer only after|without a computer|a table needs a header/,
    ),
  });
});

test("what names its computers is filed under each", async () => {
  const path = writeFile(
    temporaryDirectory(),
    "keys",
    bde("Computer Name: PC-A001", one) + bde("Computer Name: PC-B002", two),
  );
  expect((await readAll(path)).map(({ computerName }) => computerName)).toEqual(["PC-A001", "PC-B002"]);
});
