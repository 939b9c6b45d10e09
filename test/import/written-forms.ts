import { guidBase64 } from "./recovery-data.ts";

export interface Key {
  readonly computer: string;
  readonly id: string;
  readonly password: string;
}

const all = (keys: readonly Key[], one: (key: Key) => string, between = "\n"): string => keys.map(one).join(between);
const csv = (header: string, row: (key: Key) => string) => (keys: readonly Key[]) => `${header}\n${all(keys, row)}\n`;
const json = (value: (keys: readonly Key[]) => unknown) => (keys: readonly Key[]) =>
  JSON.stringify(value(keys), undefined, 1);

/** Every form there is, of the same keys. */
export const forms: readonly (readonly [string, (keys: readonly Key[]) => string])[] = [
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
    "CLIXML",
    (keys) =>
      `<Objs Version="1.1.0.1">\n${all(keys, ({ computer, id, password }) => `<Obj RefId="0"><MS>\n<S N="ComputerName">${computer}</S>\n<Obj N="KeyProtector"><LST><Obj><Props>\n<S N="KeyProtectorId">{${id}}</S>\n<S N="RecoveryPassword">${password}</S>\n</Props></Obj></LST></Obj></MS></Obj>`)}</Objs>\n`,
  ],
  [
    "HTML",
    (keys) =>
      `<html><table>\n<tr><th>ComputerName</th><th>KeyProtectorId</th><th>RecoveryPassword</th></tr>\n${all(keys, ({ computer, id, password }) => `<tr><td>${computer}</td><td>{${id}}</td><td>${password}</td></tr>`)}\n</table></html>\n`,
  ],
  [
    "tickets",
    (keys) => all(keys, ({ computer, id, password }) => `Computer: ${computer}\nId: ${id} Key: ${password}\n`),
  ],
];
