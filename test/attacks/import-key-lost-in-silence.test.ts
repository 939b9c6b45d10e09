/*
 * ATTACK  A file has keys where no reader looks for one: an id line lost in a ticket, a property nobody listed, a second column, a comment, a
 *         quote too many, an entry that is passed over.
 * DANGER  The import ends well and the key is not there. Nobody knows until a disk is locked and its only copy is gone.
 * EXPECT  Each well-formed recovery password of a file is stored, or told with its line, or refuses the file.
 */
import { expect, test } from "vitest";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import {
  createRandom,
  guidBase64,
  makeGuid,
  makePassword,
  pairs,
  readAll,
  writeFile,
} from "../import/recovery-data.ts";

const random = createRandom(12);
const keys = Array.from({ length: 2 }, () => ({ id: makeGuid(random), password: makePassword(random) }));
const [good, lost] = keys as [(typeof keys)[0], (typeof keys)[0]];
const header = "ComputerName,PasswordID,RecoveryPassword";

const bde = `Volume C: [OS]\n\n    Numerical Password:\n      ID: {${good.id}}\n      Password:\n        ${good.password}\n\n`;
const entry = ({ id, password }: typeof good): string =>
  `dn: CN=2024-05-06T09:10:11-00:00{${id}},CN=PC-1,DC=corp\nobjectClass: msFVE-RecoveryInformation\nmsFVE-RecoveryPassword: ${password}\n`;
const row = (more: Record<string, unknown>): string =>
  JSON.stringify(
    [{ ComputerName: "PC-1", PasswordID: good.id, RecoveryPassword: good.password, ...more }],
    undefined,
    1,
  );

test.each([
  ["an id line lost", `${bde}    Numerical Password:\n      Password:\n        ${lost.password}\n`, 10],
  ["a key cut in two by a console", `${bde}Backup:\n  ${lost.password.slice(0, 40)}\n${lost.password.slice(40)}\n`, 9],
  ["a line of a thousand characters", `${bde}${"x ".repeat(600)}${lost.password}\n`, 8],
  ["a property nobody listed", row({ EscrowedToo: lost.password }), 6],
  ["a property deep within", row({ more: { of: [{ it: lost.password }] } }), 9],
  ["a second column of keys", `${header},Note\nPC-1,${good.id},${good.password},old: ${lost.password}\n`, 2],
  [
    "a row under another computer's cell",
    `${header}\nPC-1,${good.id},${good.password}\n,,"${lost.password.replaceAll("-", " ")}"\n`,
    3,
  ],
  ["a comment of LDIF", `${entry(good)}\n# old key: ${lost.password}\n`, 5],
  [
    "an object of another class",
    `${entry(good)}\ndn: CN=PC-1,DC=corp\nobjectClass: computer\ndescription: ${lost.password}\n`,
    7,
  ],
  [
    "a change of an entry",
    `${entry(good)}\n${entry(lost).replace("objectClass", "changetype: modify\nobjectClass")}`,
    6,
  ],
])("%s: told with its line", async (_, text, line) => {
  const path = writeFile(temporaryDirectory(), "keys", text);
  await expect(readAll(path, { computerName: "PC-1" })).rejects.toMatchObject({
    message: expect.stringMatching(new RegExp(`line ${line}: `)),
  });
  const told: number[] = [];
  const records = await readAll(path, { computerName: "PC-1", onSkipped: (problem) => told.push(problem.line) });
  expect(pairs(records)).toEqual([[good.id, good.password]]);
  expect(told).toContain(line);
});

test.each([
  [
    "PowerShell 5.1's lists with a count",
    JSON.stringify({
      ComputerName: "PC-1",
      KeyProtector: {
        value: [{ KeyProtectorId: good.id, KeyProtectorType: 3, RecoveryPassword: good.password }],
        Count: 1,
      },
    }),
  ],
  ["a protector of two properties", JSON.stringify([{ KeyProtectorId: good.id, RecoveryPassword: good.password }])],
  [
    "a protector whose type says TPM",
    JSON.stringify([{ KeyProtectorId: good.id, KeyProtectorType: 1, RecoveryPassword: good.password }]),
  ],
  [
    "a password folded in the middle",
    entry(good).replace(good.password, `${good.password.slice(0, 39)}\n ${good.password.slice(39)}`),
  ],
  [
    "a key told again below",
    `${bde}ACTIONS REQUIRED:\n\n    1. Save this numerical recovery password\n\n    ${good.password}\n`,
  ],
  [
    "GUIDs of Active Directory in a report",
    `dn: CN=PC-1,DC=corp\n\n${entry(good)}msFVE-RecoveryGuid:: ${guidBase64(good.id)}\n`,
  ],
])("%s: the key is read", async (_, text) => {
  const path = writeFile(temporaryDirectory(), "keys", text);
  expect(pairs(await readAll(path, { computerName: "PC-1" }))).toEqual([[good.id, good.password]]);
});

test.each([
  ["two keys after one id", `ID: {${good.id}}\nKey: ${good.password}\nKey: ${lost.password}\n`],
  ["two ids before one key", `Erste: {${good.id}}\n\nZweite: {${lost.id}}\n\nKey: ${lost.password}\n`],
  [
    "each key before its id",
    `Key: ${good.password}\n\nID: {${good.id}}\n\nKey: ${lost.password}\n\nID: {${lost.id}}\n`,
  ],
])("%s: nothing is guessed", async (_, text) => {
  const path = writeFile(temporaryDirectory(), "keys", text);
  await expect(readAll(path, { computerName: "PC-1", onSkipped: () => undefined })).resolves.toEqual([]);
  await expect(readAll(path, { computerName: "PC-1" })).rejects.toMatchObject({ category: "InvalidArgument" });
});

test("a row where the header should be, with part of a key in it, is not quoted", async () => {
  const part = lost.password.slice(0, 20);
  const path = writeFile(temporaryDirectory(), "keys", `PC-1,note,${part}\n,${good.id},${good.password}\n`);
  const error: unknown = await readAll(path).catch((reason: unknown) => reason);
  expect(String(error)).toMatch(/The columns are: .*\(digits\)/);
  expect(String(error)).not.toContain(part.slice(0, 6));
});
