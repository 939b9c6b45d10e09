import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { fixture, pairs, readAll, writeFile } from "./recovery-data.ts";

const password = "490270-696377-450109-664092-596629-028820-126104-257345";
const id = "00FB8673-8B42-C835-484F-3E32248C1E89";
const other = {
  id: "601C567F-BB55-22E5-3A50-AE8DAE18AEFD",
  password: "428373-694848-697466-395450-590062-004103-372031-236489",
};

const readText = (text: string | Uint8Array, options = {}): ReturnType<typeof readAll> =>
  readAll(writeFile(temporaryDirectory(), "keys.csv", text), options);
const header = "ComputerName,PasswordID,RecoveryPassword";
const row = `PC-1,${id},${password}`;

describe("CSV by its header row", () => {
  test.each([
    ["commas", [header, row]],
    ["semicolons", [header, row].map((line) => line.replaceAll(",", ";"))],
    ["tabs", [header, row].map((line) => line.replaceAll(",", "\t"))],
    ["quotes", [header, row].map((line) => `"${line.replaceAll(",", '","')}"`)],
    ["braces and lower case", [header, `pc-1,{${id.toLowerCase()}},${password}`]],
    ["Excel's hint of the delimiter", ["sep=,", header, row]],
    ["PowerShell's type line", ["#TYPE System.Object", header, row]],
    ["other names in another order", ["Recovery Key,Device Name,Other,KeyProtectorId", `${password},PC-1,,${id}`]],
    ["names of Active Directory", ["msFVE-RecoveryPassword,msFVE-RecoveryGuid,Name", `${password},${id},PC-1`]],
    ["blank rows", ["", header, "", row, ",,", ""]],
  ])("%s", async (_, lines) => {
    for (const end of ["\n", "\r\n"]) {
      const records = await readText(lines.join(end));
      expect(pairs(records)).toEqual([[id, password]]);
      expect(records[0]?.computerName.toUpperCase()).toBe("PC-1");
      expect(records[0]?.line).toBe(lines.findIndex((line) => line.includes(password)) + 1);
    }
  });

  const eight = password.split("-").map(String).map(Number).join(";");
  test.each([
    ["German names", [`Computername;Schlüssel-ID;Wiederherstellungsschlüssel`, `PC-1;${id};${password}`]],
    ["French names", [`Nom de l’ordinateur;ID de clé;Clé de récupération`, `PC-1;${id};${password}`]],
    ["names that nobody listed", [`Title,Username,Password,URL`, `PC-1,${id},${password},`]],
    ["a surer column in words that nobody listed", [`Key,Computer,Passwort,Nummer`, `x,PC-1,${password},${id}`]],
    ["a report's title above the header", ["BitLocker report", "5/6/2024", "", header, row]],
    ["a ruler of sqlcmd", [header, "------------,----,-----", row]],
    ["the header again", [header, header, row]],
    ["another header, as of a file joined to it", [header, "RecoveryKey,Computer,KeyID", `${password},PC-1,${id}`]],
    ["a delimiter too many", [header, `${row},`]],
    ["a row without its last, empty cell", [`${header},Comment`, row]],
    ["Excel's formulas", [header, `="PC-1",="${id}",="${password}"`]],
    ["apostrophes", [header, `'PC-1,'${id},'${password}`]],
    ["dashes of a text program", [header, row.replaceAll("-", "\u2013")]],
    ["a key in eight columns", ["Computer;KeyID;1;2;3;4;5;6;7;8", `PC-1;${id};${eight}`]],
    [
      "bytes of csvde",
      [
        "DN,msFVE-RecoveryGuid,msFVE-RecoveryPassword",
        `"CN=x,CN=PC-1,DC=corp",X'7386fb00428b35c8484f3e32248c1e89',${password}`.replace("CN=x", `CN=2024{${id}}`),
      ],
    ],
    ["an account's name", [header, `CORP\\PC-1$,${id},${password}`]],
    ["a number for a volume", [`${header},VolumeId`, `${row},73`]],
    ["rows of other protectors", [`KeyProtectorType,${header}`, `Tpm,PC-1,${other.id},`, `RecoveryPassword,${row}`]],
    [
      "protectors of other kinds, without their types",
      [`Computer,KeyProtectorId,RecoveryPassword`, `PC-1,{${other.id}},`, row],
    ],
    ["computers without a key", [header, `PC-2,,Key Not Found`, `PC-3,-,-`, `PC-4,,Kein Schlüssel`, row]],
  ])("%s", async (_, lines) => {
    for (const end of ["\n", "\r\n", "\r"]) {
      const records = await readText(lines.join(end));
      expect(pairs(records)).toEqual([[id, password]]);
      expect(records[0]?.computerName).toMatch(/^PC[-\u2013]1$/);
    }
  });

  test("several keys of a row, parted by blanks, and a computer known by its device id only", async () => {
    const both = `PC-1,${id} ${other.id},${password} ${other.password}`;
    expect(pairs(await readText(`${header}\n${both}`))).toEqual([
      [id, password],
      [other.id, other.password],
    ]);
    const text = `DeviceId,DisplayName,KeyId,RecoveryKey,VolumeType\n${other.id},,${id},${password},1`;
    expect(await readText(text)).toMatchObject([{ computerName: other.id, volumeType: "OperatingSystem" }]);
  });

  test.each([
    [
      "no key ids",
      [`Computer Name,whenCreated,msFVE-RecoveryPassword`, `PC-1,x,${password}`],
      "no column holds key ids",
    ],
    [
      "protectors lost by Export-Csv",
      ["ComputerName,VolumeType,KeyProtector", "PC-1,Data,System.Object[]"],
      "ConvertTo-Json",
    ],
    [
      "several keys without computers",
      ["Id,Key", `${id},${password}`, `${other.id},${other.password}`],
      "may hold keys of several computers",
    ],
  ])("%s: said once", async (_, lines, message) => {
    await expect(readText(lines.join("\n"), { computerName: "PC-1" })).rejects.toThrow(message);
  });

  test("an export of Get-ADObject: key id and computer from the distinguished name", async () => {
    const records = await readAll(fixture("get-adobject.csv"));
    expect(pairs(records)).toEqual([
      [id, password],
      [other.id, other.password],
    ]);
    expect(records.map(({ computerName, line }) => [computerName, line])).toEqual([
      ["PC-7", 3],
      ["PC-8", 4],
    ]);
    // `5/6/2024` is May or June: not told.
    expect(records[0]).not.toHaveProperty("lastUpdateTime");
  });

  test("this endpoint's own output can be imported again", async () => {
    const lines = [
      "PasswordId,RecoveryKey,ComputerName,VolumeId,VolumeType,LastUpdateTime",
      `${id},${password},PC-1,${other.id},Removable,2026-11-22T09:30:00.000Z`,
    ];
    expect(await readText(lines.join("\r\n"))).toMatchObject([
      { volumeId: other.id, volumeType: "Removable", lastUpdateTime: "2026-11-22T09:30:00.000Z" },
    ]);
  });

  test("a file of keys without computers takes --computer-name, and asks for it", async () => {
    const text = `"Id","Key"\r\n"${id}","${password}"\r\n`;
    expect(await readText(text, { computerName: "PC-5" })).toMatchObject([{ computerName: "PC-5" }]);
    await expect(readText(text)).rejects.toThrow(
      ":1: no column names the computers; name it with --column Computer=NAME, or give --computer-name for one computer's " +
        "keys. The columns are: Id, Key.",
    );
  });

  test("--computer-name does not rename: another computer's record is a problem", async () => {
    expect(await readText(`${header}\n${row}`, { computerName: "pc-1" })).toHaveLength(1);
    await expect(readText(`${header}\n${row}`, { computerName: "PC-2" })).rejects.toThrow(
      "line 2: this belongs to another computer",
    );
  });

  test("several protectors in one row, one a line, and the rows after them keep their lines", async () => {
    const lines = [header, `PC-1,"${id}\r\n${other.id}","${password}\r\n${other.password}"`, `PC-2,${id},x`];
    await expect(readText(lines.join("\r\n"))).rejects.toThrow("line 5: the recovery password is not well-formed");
    const records = await readText(lines.slice(0, 2).join("\r\n"));
    expect(pairs(records)).toEqual([
      [id, password],
      [other.id, other.password],
    ]);
    expect(records.map(({ line }) => line)).toEqual([2, 2]);
  });

  test("an unquoted distinguished name at the end keeps its own commas", async () => {
    const text = `${header},DistinguishedName\n${row},CN=PC-1,OU=A,DC=corp\n`;
    expect(pairs(await readText(text))).toEqual([[id, password]]);
  });

  test("a computer without BitLocker in a report is no problem", async () => {
    expect(await readText([header, "PC-0,,", "PC-2,N/A,N/A", row].join("\n"))).toHaveLength(1);
  });

  test("quotes inside an unquoted field are text", async () => {
    expect(await readText(`${header},Note\n${row},15" screen\n`)).toHaveLength(1);
  });

  test.each([
    ["umlauts in ANSI", "latin1"],
    ["umlauts in UTF-8", "utf8"],
  ] as const)("%s", async (_, encoding) => {
    expect(await readText(Buffer.from(`${header}\nBÜRO-1,${id},${password}\n`, encoding))).toMatchObject([
      { computerName: "BÜRO-1" },
    ]);
  });

  // What cmd.exe redirects is in the OEM code page: in ANSI the same bytes are other letters, and another name.
  test.each([
    ["BÜRO-1", [0x42, 0x9a, 0x52, 0x4f, 0x2d, 0x31]],
    ["Büro-1", [0x42, 0x81, 0x72, 0x6f, 0x2d, 0x31]],
    ["Köln-1", [0x4b, 0x94, 0x6c, 0x6e, 0x2d, 0x31]],
    ["Récif-1", [0x52, 0x82, 0x63, 0x69, 0x66, 0x2d, 0x31]],
  ])("%s in the code page of cmd.exe", async (name, bytes) => {
    const text = Buffer.concat([Buffer.from(`${header}\n`), Buffer.from(bytes), Buffer.from(`,${id},${password}\n`)]);
    expect((await readText(text))[0]?.computerName).toBe(name);
  });

  test.each([
    ["a row cut off", [header, row, `PC-2,${other.id}`], "line 3: this row has 2 of 3 columns"],
    ["a row too long", [header, `${row},more`], "line 2: this row has 4 columns, the header has 3"],
    ["no password", [header, `PC-1,${id},`], "line 2: the recovery password is missing"],
    ["no key id", [header, `PC-1,,${password}`], "line 2: the key id is missing"],
    ["a key id of eight digits", [header, `PC-1,00FB8673,${password}`], "line 2: the key id is not a whole GUID"],
    [
      "letters for digits in a key id",
      [header, `PC-1,${id.replaceAll("0", "O")},${password}`],
      "line 2: the key id must be of digits and the letters A to F: the digit 0, not the letter O",
    ],
    ["half a brace", [header, `PC-1,{${id},${password}`], "line 2: the key id is not a whole GUID"],
    ["no computer", [header, `,${id},${password}`], "line 2: the computer's name is missing"],
    [
      "a name that a console cut",
      [header, `srv-1.sales...,${id},${password}`],
      "line 2: the computer's name has characters",
    ],
    ["a formula for a computer", [header, `=cmd(),${id},${password}`], "line 2: the computer's name has characters"],
    [
      "an escape for a computer",
      [header, `\u001B[31mPC,${id},${password}`],
      "line 2: the computer's name has characters",
    ],
    [
      "a name of 256 characters",
      [header, `${"A".repeat(256)},${id},${password}`],
      "line 2: the computer's name has characters",
    ],
    [
      "more ids than passwords",
      [header, `PC-1,"${id}\n${other.id}",${password}`],
      "line 2: this row does not have as many",
    ],
    ["a quote that is not closed", [header, row, `"PC-2,${id},${password}`], "a quoted field is not closed"],
    [
      "a quote that swallows a row",
      [`${header},A`, `${row},"x`, `PC-2,${other.id},${other.password},y"`],
      ":2: a field beginning here holds other rows",
    ],
    ["a header alone", [header], "nothing to import"],
    ["no password column", ["ComputerName,PasswordID", `PC-1,${id}`], "this is none of the forms"],
    ["no header", [row], "this is none of the forms"],
  ])("%s: an error with its line that quotes no password", async (_, lines, message) => {
    const error: unknown = await readText(lines.join("\r\n")).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ category: "InvalidArgument", message: expect.stringContaining(message) });
    expect(String(error)).not.toMatch(/\d{6}-\d{6}/);
    expect(error).not.toHaveProperty("cause.message");
  });

  test("a row of a megabyte is refused", async () => {
    await expect(readText(`${header}\n"${"x".repeat(1_000_000)}`)).rejects.toThrow("a row is too long");
  });
});

describe("recovery packages in a column", () => {
  const bytes = Buffer.from(Array.from({ length: 7000 }, (_, index) => (index * 31) % 256));
  test.each([
    ["csvde", "msFVE-KeyPackage", `X'${bytes.toString("hex")}'`],
    ["SQL Server's tools", "BitLockerRecoveryKeyPackage", `0x${bytes.toString("hex").toUpperCase()}`],
    ["base64", "Key Package", bytes.toString("base64")],
  ])("as %s writes them", async (_, column, cell) => {
    const [record] = await readText([`${header},${column}`, `${row},${cell}`].join("\n"));
    expect(pairs(record === undefined ? [] : [record])).toEqual([[id, password]]);
    expect(record?.recoveryPackage && Buffer.from(record.recoveryPackage).equals(bytes)).toBe(true);
  });

  test.each(["", "System.Byte[]", "N/A", "X'123'", "X'zz'", "0x", "not base64!"])(
    "a cell that holds none (%s) costs no key",
    async (cell) => {
      const records = await readText([`${header},msFVE-KeyPackage`, `${row},${cell}`].join("\n"));
      expect(pairs(records)).toEqual([[id, password]]);
      expect(records[0]).not.toHaveProperty("recoveryPackage");
    },
  );

  test("a row of two keys has a package of nobody knows which", async () => {
    const cells = [`"${id}\n${other.id}"`, `"${password}\n${other.password}"`, "AQIDBA=="];
    const records = await readText([`${header},KeyPackage`, ["PC-1", ...cells].join(",")].join("\n"));
    expect(records).toHaveLength(2);
    for (const record of records) expect(record).not.toHaveProperty("recoveryPackage");
  });

  test("one that is too large is told with its line", async () => {
    const large = Buffer.alloc(7001).toString("base64");
    await expect(readText([`${header},KeyPackage`, `${row},${large}`].join("\n"))).rejects.toThrow(
      "line 2: the recovery package is larger than 7000 bytes.",
    );
  });
});
