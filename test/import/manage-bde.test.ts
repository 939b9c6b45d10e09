import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { fixture, fixtureText, pairs, passwordOf, readAll, writeFile } from "./recovery-data.ts";

const computerName = "PC-1";
const password = "490270-696377-450109-664092-596629-028820-126104-257345";
const id = "00FB8673-8B42-C835-484F-3E32248C1E89";
const oneProtector = [
  "Volume C: [OS]",
  "All Key Protectors",
  "",
  "    Numerical Password:",
  `      ID: {${id}}`,
  "      Password:",
  `        ${password}`,
  "",
];

const readText = (lines: readonly string[] | string, options = {}): ReturnType<typeof readAll> => {
  const text = typeof lines === "string" ? lines : lines.join("\n");
  return readAll(writeFile(temporaryDirectory(), "bde.txt", text), { computerName, ...options });
};

describe("manage-bde -protectors -get", () => {
  test("every kind of protector of two volumes", async () => {
    let passedOver = 0;
    const records = await readAll(fixture("manage-bde-all-kinds.txt"), {
      computerName,
      onPassedOver: () => (passedOver += 1),
    });
    expect(records.map(({ protector: { kind }, line }) => [kind, line])).toEqual([
      ["NumericalPassword", 13],
      ["DataRecoveryAgent", 22],
      ["NumericalPassword", 30],
      ["ExternalKey", 35],
    ]);
    expect(records[1]?.protector).toEqual({
      kind: "DataRecoveryAgent",
      keyId: "3F81C18D-A685-4782-8F55-99C6452980E7",
      certificateThumbprint: "9de688607336294a52b445d30d1eb92f0bec1e78",
    });
    expect(records[3]?.protector).toEqual({
      kind: "ExternalKey",
      keyId: "A3F21E0B-5A8E-4C3A-8A55-0E1D2C3B4A59",
      fileName: "A3F21E0B-5A8E-4C3A-8A55-0E1D2C3B4A59.BEK",
      category: "Managed",
    });
    expect(pairs(records)).toEqual([
      [id, password],
      ["601C567F-BB55-22E5-3A50-AE8DAE18AEFD", "428373-694848-697466-395450-590062-004103-372031-236489"],
    ]);
    expect(passedOver).toBe(2);
  });

  test.each([
    ["LF", (text: string) => text],
    ["CRLF", (text: string) => text.replaceAll("\n", "\r\n")],
    ["without indentation", (text: string) => text.replace(/^ +/gm, "")],
    ["without a last line end", (text: string) => text.trimEnd()],
  ])("a German Windows, %s", async (_, change) => {
    const records = await readText(change(fixtureText("manage-bde-german.txt")));
    expect(records.map(({ protector: { kind } }) => kind)).toEqual(["NumericalPassword", "ExternalKey"]);
    expect(passwordOf(records[0])).toBe("115973-285593-151866-586476-621093-530519-474672-713856");
  });

  test.each(["latin1", "utf16le"] as const)("a German Windows, written as %s", async (encoding) => {
    const mark = encoding === "utf16le" ? "\uFEFF" : "";
    const bytes = Buffer.from(mark + fixtureText("manage-bde-german.txt"), encoding);
    const records = await readAll(writeFile(temporaryDirectory(), "bde.txt", bytes), { computerName });
    expect(records).toHaveLength(2);
  });

  test("a language nobody listed, known by its digits", async () => {
    const text = oneProtector
      .join("\n")
      .replace("Numerical Password:", "数字パスワード:")
      .replace("  Password:", "  パスワード:");
    expect(pairs(await readText(text))).toEqual([[id, password]]);
  });

  test("passwords without separators or with blanks are brought to the one form", async () => {
    for (const separator of ["", " "]) {
      const text = oneProtector.join("\n").replace(password, password.replaceAll("-", separator));
      expect(pairs(await readText(text))).toEqual([[id, password]]);
    }
  });

  test("without a computer name the error says how to give it", async () => {
    const path = writeFile(temporaryDirectory(), "bde.txt", oneProtector.join("\n"));
    await expect(readAll(path)).rejects.toMatchObject({
      category: "InvalidArgument",
      message: expect.stringContaining("--computer-name"),
    });
  });

  test.each([
    ["before the password", oneProtector.slice(0, 6), ":6: the file ends here"],
    ["after the id", oneProtector.slice(0, 5), "line 4: this protector's recovery password is missing"],
    [
      "inside the password",
      [...oneProtector.slice(0, 6), "        490270-696377-450109"],
      "line 7: the recovery password is not well-formed",
    ],
    [
      "inside the id",
      [...oneProtector.slice(0, 4), "      ID: {00FB8673-8B42", ...oneProtector.slice(5)],
      "line 4: the key id is not a whole GUID",
    ],
    ["after the label", oneProtector.slice(0, 4), ":4: the file ends here"],
  ])("cut off %s: an error with its line", async (_, lines, message) => {
    await expect(readText(lines)).rejects.toMatchObject({
      category: "InvalidArgument",
      message: expect.stringContaining(message),
    });
  });

  test("an id without a label above it has its password all the same", async () => {
    expect(pairs(await readText(["Volume C: [OS]", ...oneProtector.slice(4)]))).toEqual([[id, password]]);
  });

  test("a second password that is missing under a label that had one is noticed in any language", async () => {
    const foreign = oneProtector.map((line) => line.replace("Numerical Password:", "Mot de passe numérique :"));
    const second = ["    Mot de passe numérique :", "      ID: {601C567F-BB55-22E5-3A50-AE8DAE18AEFD}", ""];
    await expect(readText([...foreign, ...second])).rejects.toThrow(
      "line 9: this protector's recovery password is missing",
    );
  });

  test("a volume without recovery information: nothing to import", async () => {
    const lines = ["Volume C: [OS]", "All Key Protectors", "", "    TPM:", `      ID: {${id}}`, ""];
    await expect(readText(lines)).rejects.toThrow("nothing to import");
    await expect(readText(lines)).rejects.toThrow("1 other protector passed over");
    await expect(readText(["Volume C: [OS]", "ERROR: No key protectors found."])).rejects.toThrow("nothing to import");
  });
});
