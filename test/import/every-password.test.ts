import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { damage, holdAccount } from "./hold-account.ts";
import { createRandom, guidBase64, makeGuid, makePassword, pairs, readAll, writeFile } from "./recovery-data.ts";

interface Key {
  readonly computer: string;
  readonly id: string;
  readonly password: string;
}

const all = (keys: readonly Key[], one: (key: Key) => string, between = "\n"): string => keys.map(one).join(between);
const csv = (header: string, row: (key: Key) => string) => (keys: readonly Key[]) => `${header}\n${all(keys, row)}\n`;
const json = (value: (keys: readonly Key[]) => unknown) => (keys: readonly Key[]) =>
  JSON.stringify(value(keys), undefined, 1);

/** Every form there is, of the same keys. */
const forms: readonly (readonly [string, (keys: readonly Key[]) => string])[] = [
  [
    "CSV",
    csv("ComputerName,PasswordID,RecoveryPassword", ({ computer, id, password }) => `${computer},${id},${password}`),
  ],
  [
    "CSV in quotes",
    csv('"Key","Computer","Id"', ({ computer, id, password }) => `"${password}","${computer}","{${id}}"`),
  ],
  [
    "CSV without known names",
    csv("Title;Nummer;Wort;Notiz", ({ computer, id, password }) => `${computer};${id};${password};`),
  ],
  [
    "CSV of protectors",
    csv(
      "ComputerName,KeyProtectorId,KeyProtectorType,RecoveryPassword",
      ({ computer, id, password }) =>
        `${computer},{${id.replace(/^./, "F")}},Tpm,\n${computer},{${id}},RecoveryPassword,${password}`,
    ),
  ],
  [
    "JSON rows",
    json((keys) =>
      keys.map(({ computer, id, password }) => ({
        ComputerName: computer,
        KeyProtectorId: id,
        RecoveryPassword: password,
      })),
    ),
  ],
  [
    "Graph's page",
    json((keys) => ({
      value: keys.map(({ computer, id, password }) => ({ id, key: password, deviceName: computer, deviceId: id })),
    })),
  ],
  [
    "Graph's batch",
    json((keys) => ({
      responses: keys.map(({ computer, id, password }) => ({
        id: "1",
        body: { id, key: password, deviceName: computer, deviceId: id },
      })),
    })),
  ],
  [
    "volumes",
    json((keys) =>
      keys.map(({ computer, id, password }) => ({
        ComputerName: computer,
        KeyProtector: { value: [{ KeyProtectorId: id, KeyProtectorType: 3, RecoveryPassword: password }], Count: 1 },
      })),
    ),
  ],
  [
    "drives",
    json((keys) =>
      keys.map(({ computer, id, password }) => ({
        Host: computer,
        Drives: [{ Keys: [{ Id: id, Password: password }] }],
      })),
    ),
  ],
  [
    "LDIF",
    (keys) =>
      `${all(keys, ({ computer, id, password }) => `dn: CN=2024-05-06T09:10:11-00:00{${id}},CN=${computer},DC=corp\nobjectClass: msFVE-RecoveryInformation\nmsFVE-RecoveryPassword: ${password}\nmsFVE-RecoveryGuid:: ${guidBase64(id)}\n`)}\n`,
  ],
  [
    "manage-bde",
    (keys) =>
      all(
        keys,
        ({ computer, id, password }) =>
          `Computer Name: ${computer}\n\nVolume C: [OS]\nAll Key Protectors\n\n    TPM:\n      ID: {${id.replace(/^./, "F")}}\n\n    Numerical Password:\n      ID: {${id}}\n      Password:\n        ${password}\n\n`,
      ),
  ],
  [
    "key files",
    (keys) =>
      all(
        keys,
        ({ computer, id, password }) =>
          `Computer: ${computer}\n\nIdentifier:\n\n\t${id}\n\nIf the above…\n\nRecovery Key:\n\n\t${password}\n\nIf not…\n`,
      ),
  ],
  [
    "lists",
    (keys) =>
      all(
        keys,
        ({ computer, id, password }) =>
          `ComputerName     : ${computer}\nKeyProtectorId   : {${id}}\nKeyProtectorType : RecoveryPassword\nRecoveryPassword : ${password}\n\n`,
      ),
  ],
  [
    "tables",
    (keys) =>
      `ComputerName KeyProtectorId${" ".repeat(25)}RecoveryPassword\n------------ ${"-".repeat(14)}${" ".repeat(25)}${"-".repeat(16)}\n${all(keys, ({ computer, id, password }) => `${computer.padEnd(12)} {${id}} ${password}`)}\n`,
  ],
  [
    "tickets",
    (keys) => all(keys, ({ computer, id, password }) => `Computer: ${computer}\nId: ${id} Key: ${password}\n`),
  ],
];

const makeKeys = (random: () => number): Key[] =>
  Array.from({ length: 3 }, (_, index) => ({
    computer: `PC-${index + 1}`,
    id: makeGuid(random).replace(/^./, "0"),
    password: makePassword(random),
  }));

describe("every recovery password of a file is stored, told, or refuses the file", () => {
  test.each(forms)("%s: whole, each key is stored under its computer", async (_, write) => {
    const keys = makeKeys(createRandom(21));
    const records = await readAll(writeFile(temporaryDirectory(), "keys", write(keys)));
    expect(pairs(records)).toEqual(keys.map(({ id, password }) => [id, password]));
    expect(records.map(({ computerName }) => computerName)).toEqual(keys.map(({ computer }) => computer));
  });

  test.each(forms)("%s, damaged once to four times", async (name, write) => {
    const directory = temporaryDirectory();
    const random = createRandom(name.length);
    let seen = 0;
    for (let round = 0; round < 150; round += 1) {
      let bytes: Buffer = Buffer.from(write(makeKeys(random)));
      for (let times = 1 + Math.floor(random() * 4); times > 0; times -= 1) bytes = damage(bytes, random);
      seen += await holdAccount(directory, bytes, random() < 0.5 ? undefined : "PC-1");
    }
    expect(seen).toBeGreaterThan(100);
  });

  test.each(forms)("%s with another form behind it", async (name, write) => {
    const directory = temporaryDirectory();
    const random = createRandom(name.length + 100);
    for (const [, other] of forms) {
      const text = `${write(makeKeys(random))}\n${other(makeKeys(random))}`;
      expect(await holdAccount(directory, Buffer.from(text), undefined)).toBe(6);
    }
  });
});
