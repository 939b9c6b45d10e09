import { describe, expect, test } from "vitest";
import { computerName, keyIdOrPrefix } from "../../server/command/parameter-kinds.ts";
import { decodeComputerName } from "../../server/import/fields.ts";
import { parseCommandLine } from "../../server/command-line/parse.ts";

const id = "0440632D-0039-4DDB-BF38-69F12703AD19";

describe("a key id as it was copied", () => {
  test.each([
    `ID: {${id}}`,
    `Key ID : ${id}`,
    `Schlüssel-ID：${id.toLowerCase()}`,
    `  {${id}}. `,
    `${id}…`,
    id.replaceAll("-", "\u2011"),
    `{${id.replaceAll("-", "\u2010")}}`,
    `\u00A0${id}\u00A0`,
    id.replaceAll("-", ""),
  ])("%s", (typed) => {
    expect(keyIdOrPrefix.decode(typed)).toEqual({ value: id, text: id });
  });

  test.each(["0440632D.", "0440632D...", "ID: 0440632D", "{0440632D}"])("eight digits: %s", (typed) => {
    expect(keyIdOrPrefix.decode(typed)).toEqual({ value: "0440632D", text: "0440632D" });
  });

  test.each(["ID:", "...", "044063", `${id} ${id}`, `x${id}`, "ID: ID: 0440632D", "0440632G"])("not %s", (typed) => {
    expect(keyIdOrPrefix.decode(typed)).toEqual({ problem: "value" });
  });
});

describe("a computer's name, typed and imported by one rule", () => {
  const typed = (text: string): string | undefined => {
    const decoded = computerName.decode(text);
    return "value" in decoded ? decoded.value : undefined;
  };

  test.each([
    ["PC-0815", "PC-0815"],
    ["CORP\\PC-0815", "PC-0815"],
    ["PC-0815$", "PC-0815"],
    ["PC\u20110815", "PC-0815"],
    ["Bu\u0308ro.corp.example", "Büro.corp.example"],
    ["R&D(1)", "R&D(1)"],
    ["\uFF30\uFF23", undefined],
    ["PC*", undefined],
    ["PC?1", undefined],
    ["-PC", undefined],
    ["=PC", undefined],
    ["PC 1", undefined],
    ["PC...", undefined],
    ["PC\u115F", undefined],
    ["A\\B\\C", undefined],
    ["", undefined],
    ["A".repeat(256), undefined],
  ])("%j", (text, name) => {
    expect([typed(text), decodeComputerName(text)]).toEqual([name, name]);
  });
});

describe("a line as it was pasted", () => {
  const line = "Get-RecoveryKeys -ComputerName DEMO-PC-07";
  test.each([`${line}\r`, `${line}\r\n`, `\uFEFF${line}`, `'${line}'`, ` '${line}'\r\n`])("%j", (pasted) => {
    expect(parseCommandLine(pasted)).toEqual(parseCommandLine(line));
  });

  test("an id with hyphens of a text program, bare in braces", () => {
    const [{ words }] = parseCommandLine(`X {${id.replaceAll("-", "\u2011")}}`);
    expect(words).toEqual([{ kind: "value", value: `{${id.replaceAll("-", "\u2011")}}` }]);
  });

  test.each([
    [`PS support@pep> ${line}`, "The prompt was pasted along"],
    [`PS C:\\Users\\x>${line}`, "The prompt was pasted along"],
    ["'Get-Command'", "A command's name is written without quotes"],
    [`'${line}' 'x'`, "A command's name is written without quotes"],
    [`${line}\r${line}`, "Send one command a line"],
  ])("%j: %s", (pasted, message) => {
    expect(() => parseCommandLine(pasted)).toThrow(message);
  });
});
