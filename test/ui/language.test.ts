import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { complete, sharedPrefix } from "../../ui/language/complete.ts";
import { hintFor, syntaxOf } from "../../ui/language/hint.ts";
import { readWords, quoted } from "../../ui/language/words.ts";
import type { UiCommand } from "../../ui/protocol.ts";
import { commands as ordinary } from "./fixtures.ts";

const commands: readonly UiCommand[] = [
  ...ordinary,
  { name: "Select-Object", aliases: ["select"], synopsis: "Picks columns and rows.", shaping: true, parameters: [] },
];

/** Candidates at the `|` (at the end without one). */
const candidates = (line: string): readonly string[] => {
  const cursor = line.includes("¦") ? line.indexOf("¦") : line.length;
  return complete(line.replace("¦", ""), cursor, commands).candidates.map(({ insert }) => insert);
};
const hint = (line: string): string | undefined => hintFor(line, line.length, commands)?.text;

describe("words", () => {
  test.each([
    ["a 'b c' \"d e\"", ["a", "b c", "d e"]],
    ["'it''s' \"say `\"x`\"\"", ["it's", 'say "x"']],
    ["a` b", ["a b"]],
    ["'open until the end", ["open until the end"]],
  ])("%s", (line, values) => {
    expect(readWords(line)[0]?.map(({ value }) => value)).toEqual(values);
  });
  test("a pipe parts the line, but not inside quotes", () => {
    expect(readWords("a|b 'c|d'").map((words) => words.map(({ value }) => value))).toEqual([["a"], ["b", "c|d"]]);
  });
  test("a quoted value reads back as itself", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1 }), fc.constantFrom("", "'", '"'), (value, quote) => {
        fc.pre(!/\p{Cc}/u.test(value));
        const words = readWords(quoted(value, quote));
        expect(words).toHaveLength(1);
        expect(words[0]?.map((word) => word.value)).toEqual([value]);
      }),
    );
  });
});

describe("completion", () => {
  test.each([
    ["", ["Get-Command", "Get-Help", "Get-RecoveryKeys", "verify-cert"]],
    ["GET-R", ["Get-RecoveryKeys"]],
    ["gc", ["gcm"]],
    ["Get-AzsRecoveryKeys -L", ["-Latest"]],
    ["Get-RecoveryKeys -", ["-ComputerName", "-RecoveryKeyId", "-VolumeType", "-Latest", "-Reason"]],
    ["Get-RecoveryKeys -Latest -Reason x -", ["-ComputerName", "-RecoveryKeyId", "-VolumeType"]],
    ["Get-RecoveryKeys ", []],
    ["Get-RecoveryKeys -Latest ", ["-ComputerName", "-RecoveryKeyId", "-VolumeType", "-Reason"]],
    ["Get-RecoveryKeys -VolumeType ", ["OperatingSystem", "FixedData", "'Removable Data'"]],
    ["Get-RecoveryKeys -vol f", ["FixedData"]],
    ["Get-RecoveryKeys -VolumeType:f", ["FixedData"]],
    ['Get-RecoveryKeys -VolumeType "rem', ['"Removable Data"']],
    ["Get-RecoveryKeys -VolumeType 'removable d", ["'Removable Data'"]],
    ["Get-RecoveryKeys -VolumeType FixedData,o", ["OperatingSystem"]],
    ["Get-RecoveryKeys -VolumeType FixedData, o", ["OperatingSystem"]],
    ["Get-Help get-r", ["Get-RecoveryKeys"]],
    ["Get-RecoveryKeys | ver", []],
    ["Get-RecoveryKeys | ", ["Select-Object"]],
    ["Get-RecoveryKeys -Reason 'a | b' |s", ["Select-Object"]],
    ["Get-Command | Select-Object | sel", ["Select-Object"]],
    ["sel", []],
    ["s¦ | Select-Object", []],
    ["ver¦ -raw", ["verify-cert"]],
    ["nothing -x", []],
  ])("%j", (line, expected) => {
    // An empty place offers the parameters; here a positional value may stand first.
    if (line === "Get-RecoveryKeys ") expect(candidates(line)).toHaveLength(5);
    else expect(candidates(line)).toEqual(expected);
  });

  test("a value replaces what was typed, its opening quote too", () => {
    const line = "Get-RecoveryKeys -VolumeType 'rem";
    expect(complete(line, line.length, commands)).toMatchObject({ start: line.indexOf("'"), end: line.length });
  });
  test("what candidates share is found without regard to case", () => {
    const named = ["Get-Command", "get-capability"].map((insert) => ({ insert, label: insert, suffix: " " }));
    expect(sharedPrefix(named)).toBe("Get-C");
  });
  test("no line makes it throw", () => {
    const part = fc.constantFrom(..."Get-RecoveryKeys| -|-|VolumeType|:|,| |'|\"|`|\\|x|日".split("|"), "|", "\t");
    fc.assert(
      fc.property(fc.array(part, { maxLength: 15 }), fc.nat(60), (parts, at) => {
        const line = parts.join("");
        const cursor = Math.min(at, line.length);
        const { start, end } = complete(line, cursor, commands);
        expect(start).toBeLessThanOrEqual(end);
        expect(end).toBe(cursor);
        hintFor(line, cursor, commands);
      }),
    );
  });
});

describe("hints", () => {
  test.each([
    ["", undefined],
    ["Get-Com", "Get-Command  Lists the commands you can run."],
    ["Get-Foo", "Get-Foo is not recognised. Get-Command lists what you can run."],
    ["Get-RecoveryKeys -Comp", "-ComputerName <name>[,…]  Whose volumes."],
    ["Get-RecoveryKeys -Foo", "Get-RecoveryKeys has no parameter -Foo."],
    ["Get-RecoveryKeys -R x", "-R could be -RecoveryKeyId or -Reason."],
    [
      "Get-RecoveryKeys -VolumeType Fi",
      "-VolumeType <type>  Which volumes. (OperatingSystem, FixedData or Removable Data)",
    ],
    ["Get-RecoveryKeys -VolumeType Foo", "-VolumeType takes OperatingSystem, FixedData or Removable Data."],
    ["Get-RecoveryKeys -VolumeType fixeddata -Latest", "-Latest  The newest key of each volume."],
    ["verify-cert ", "verify-cert [-raw]  Checks the certificate."],
  ])("%j", (line, expected) => {
    expect(hint(line)).toBe(expected);
  });
  test("a command that may not be seen gets the words of one that doesn't exist", () => {
    const invisible = commands.filter(({ name }) => name !== "verify-cert");
    const said = (list: readonly UiCommand[], name: string) => hintFor(`${name} `, name.length + 1, list)?.text;
    expect(said(invisible, "verify-cert")?.replace("verify-cert", "X")).toBe(
      said(invisible, "no-such")?.replace("no-such", "X"),
    );
  });
  test("the syntax line has every parameter", () => {
    expect(commands.map(syntaxOf)[0]).toBe(
      "Get-RecoveryKeys [-ComputerName <name>[,…]] [-RecoveryKeyId <GUID>[,…]] [-VolumeType <type>] [-Latest] [-Reason <text>]",
    );
  });
});
