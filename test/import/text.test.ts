import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { pairs, readAll, writeFile } from "./recovery-data.ts";

const id = "00FB8673-8B42-C835-484F-3E32248C1E89";
const password = "490270-696377-450109-664092-596629-028820-126104-257345";
const other = {
  id: "601C567F-BB55-22E5-3A50-AE8DAE18AEFD",
  password: "428373-694848-697466-395450-590062-004103-372031-236489",
};
const computerName = "PC-0001";

const readText = (text: string | Uint8Array, options = {}): ReturnType<typeof readAll> =>
  readAll(writeFile(temporaryDirectory(), "keys.txt", text), options);
const ofOne = (text: string | Uint8Array): ReturnType<typeof readAll> => readText(text, { computerName });
const utf16 = (text: string): Buffer => Buffer.from(`\uFEFF${text.replaceAll("\n", "\r\n")}`, "utf16le");

const keyFile = (keyId = id, key = password): string =>
  `BitLocker Drive Encryption recovery key \n\nTo verify that this is the correct recovery key, compare the start of the ` +
  `following identifier with the identifier value displayed on your PC.\n\nIdentifier:\n\n\t${keyId}\n\nIf the above ` +
  `identifier matches the one displayed by your PC, then use the following key to unlock your drive.\n\nRecovery Key:\n\n` +
  `\t${key}\n\nIf the above identifier doesn't match, then this isn't the right key to unlock your drive.\n`;
const ofWindows7 =
  `BitLocker Drive Encryption Recovery Key\n\nRecovery key identification: 00FB8673-8B42-C8\n` +
  `Full recovery key identification: ${id}\n\nBitLocker Recovery Key:\n${password}\n`;
const list = (keyId: string, type: string, key: string): string =>
  `KeyProtectorId      : {${keyId}}\nAutoUnlockProtector : \nKeyProtectorType    : ${type}\nKeyFileName         : \n` +
  `RecoveryPassword    : ${key}\nKeyCertificateType  : \nThumbprint          : \n\n`;
const pair = (keyId: string, key: string): string => `KeyProtectorId   : {${keyId}}\nRecoveryPassword : ${key}\n\n`;
const bde = `Volume C: [OS]\n\n    Numerical Password:\n      ID: {${id}}\n      Password:\n        ${password}\n`;

describe("an id and a key, whatever they are called", () => {
  test.each([
    ["a recovery key file", utf16(keyFile())],
    ["a recovery key file of Windows 7", ofWindows7],
    [
      "a recovery key file in Polish",
      `Identyfikator:\n\n\t${id}\n\nJeśli powyższy…\n\nKlucz odzyskiwania:\n\n\t${password}\n`,
    ],
    ["one in Japanese", `識別子:\n\n\t${id}\n\n回復キー:\n\n\t${password}\n`],
    ["a list of PowerShell", utf16(`\n\n${list(other.id, "Tpm", "")}${list(id, "RecoveryPassword", password)}`)],
    ["a list of two properties, key first", `RecoveryPassword : ${password}\nKeyProtectorId   : {${id}}\n`],
    [
      "a table of PowerShell",
      `\nKeyProtectorType KeyProtectorId ${" ".repeat(23)}RecoveryPassword\n---------------- ${"-".repeat(14)} ` +
        `${" ".repeat(23)}${"-".repeat(16)}\nTpm              {${other.id}}\nRecoveryPassword {${id}} ${password}\n`,
    ],
    [
      "a report",
      `name: 2024-05-01T07:00:00-00:00{${id}}\nmsFVE-RecoveryGuid: {${id}}\nmsFVE-RecoveryPassword: ${password}\n`,
    ],
    ["a ticket", `Hello, here it is. Id: ${id.toLowerCase()} Key: ${password}, thank you.\n`],
    ["a ticket, the other way round", `The key is ${password} (${id}).\n`],
    ["a quoted mail", bde.replace(/^/gm, "> > ")],
    ["a narrow console", bde.replace(password, `${password.slice(0, 44)}\n${password.slice(44)}`)],
    [
      "no-break spaces and dashes of a text program",
      bde.replace("ID:", "ID\u00A0:").replaceAll(/(?<=\d)-(?=\d)/g, "\u2011"),
    ],
    [
      "a window of 50 columns",
      `KeyProtectorId   : {${id.slice(0, 29)}\n                   ${id.slice(29)}}\n` +
        `RecoveryPassword : ${password.slice(0, 30)}\n                   ${password.slice(30)}\n`,
    ],
    ["an id that the console's edge cuts", bde.replace(id, `${id.slice(0, 20)}\n${id.slice(20)}`)],
    ["colours of a console", bde.replaceAll(/^(\s*)(ID|Password):/gm, "$1\u001B[32;1m$2: \u001B[0m")],
    ["a list of two properties with another protector", `${pair(other.id, "")}${pair(id, password)}`],
    [
      "a table of two columns with another protector",
      `KeyProtectorId ${" ".repeat(23)}RecoveryPassword\n-------------- ${" ".repeat(23)}----------------\n` +
        `{${other.id}} \n{${id}} ${password}\n`,
    ],
    [
      "a table that wraps",
      `KeyProtectorId ${" ".repeat(23)}RecoveryPass\n${" ".repeat(39)}word\n-------------- ${" ".repeat(23)}------------\n` +
        `{${id}} ${password.slice(0, 12)}\n${" ".repeat(39)}${password.slice(12, 41)}\n${" ".repeat(39)}${password.slice(41)}\n`,
    ],
    [
      "a transcript of PowerShell on another machine",
      `**********\nPowerShell transcript start\nMachine: ADMIN-7 (Microsoft Windows NT 10.0.19045.0)\n**********\n${bde}`,
    ],
    ["lines that end in CR CR LF", bde.replaceAll("\n", "\r\r\n")],
    ["an id under another label", bde.replace("ID:", "Identyfikator:")],
    ["100 KiB of other text before it", `${"svchost.exe  0 Services  12,300 K  N/A\n".repeat(2700)}${bde}`],
    ["ids of other things", `Device ID: ${other.id}\nRecovery key ID: ${id}\nRecovery key: ${password}\n`],
    ["a path with an id", `${bde}\\Device\\NPF_{${other.id}}\n\\\\?\\Volume{${other.id}}\\\n`],
    ["a log with times in brackets", `[2026-03-12 10:11:44] ID: ${id}\n[2026-03-12 10:11:44] Key: ${password}\n`],
  ])("%s", async (_, text) => {
    expect(pairs(await ofOne(text))).toEqual([[id, password]]);
  });

  test("files that were joined, each with its byte order mark", async () => {
    const joined = [keyFile(), keyFile(other.id, other.password)];
    for (const text of [Buffer.concat(joined.map(utf16)), joined.map((file) => `\uFEFF${file}`).join("")]) {
      expect(pairs(await ofOne(text))).toEqual([
        [id, password],
        [other.id, other.password],
      ]);
    }
  });

  test("a computer that a line names, in the paragraph or above it", async () => {
    const heading = `Host Name . . . . : PC-7\n\n${bde}`;
    const inside = `KeyProtectorId   : {${id}}\nRecoveryPassword : ${password}\nPSComputerName   : PC-7\n`;
    for (const text of [heading, inside, `Accessing object: LDAP://CN=PC-7,OU=PCs,DC=corp\n\n${ofWindows7}`]) {
      expect((await readText(text))[0]?.computerName).toBe("PC-7");
      await expect(ofOne(text)).rejects.toThrow("this belongs to another computer");
    }
  });

  test("a name that the window cut is not taken for another", async () => {
    const inList =
      `ComputerName     : srv-0001.sales.corp.exa\n                   mple.com\nKeyProtectorId   : {${id}}\n` +
      `RecoveryPassword : ${password}\n`;
    expect((await readText(inList))[0]?.computerName).toBe("srv-0001.sales.corp.example.com");
    const table = (name: string, rest: string): string =>
      `ComputerName KeyProtectorId ${" ".repeat(23)}RecoveryPassword\n------------ -------------- ${" ".repeat(23)}----------------\n` +
      `${name} {${id}} ${password}\n${rest}\n`;
    for (const text of [
      `   ComputerName: srv-0001.sales.corp.\ncom\n\nKeyProtectorId   : {${id}}\nRecoveryPassword : ${password}\n`,
      `ComputerName     : srv-0001.sales.c...\nKeyProtectorId   : {${id}}\nRecoveryPassword : ${password}\n`,
      table("srv-0001.sal", "es.corp"),
    ]) {
      await expect(readText(text)).rejects.toThrow("computer");
      await expect(ofOne(text)).rejects.toThrow("computer");
    }
    expect((await readText(table("srv-0001    ", "srv-2       ")))[0]?.computerName).toBe("srv-0001");
  });

  test.each([
    [
      "a key file without its key, among whole ones",
      `${keyFile()}${keyFile(other.id, "")}`,
      "no recovery password follows",
    ],
    [
      "a key file without its key, before whole ones",
      `${keyFile(other.id, "")}${keyFile()}`,
      "no recovery password follows",
    ],
    ["a key whose digits are wrong", keyFile(id, password.replace("490270", "490271")), "not well-formed"],
  ])("%s: told", async (_, text, message) => {
    await expect(ofOne(text)).rejects.toThrow(message);
  });
});
