import { describe, expect, test } from "vitest";
import { Refusal } from "../../server/errors.ts";
import { maximumLineLength, parseCommandLine } from "../../server/command-line/parse.ts";
import type { Stage, Word } from "../../server/command-line/parse.ts";
import { maximumListLength, maximumValueLength } from "../../server/command-line/read-value.ts";
import type { Value } from "../../server/command-line/read-value.ts";

const wordsOf = (rest: string): readonly Word[] => parseCommandLine(`X ${rest}`)[0].words;
const value = (text: Value): Word => ({ kind: "value", value: text });
const parameter = (name: string, attached?: Value): Word =>
  attached === undefined ? { kind: "parameter", name } : { kind: "parameter", name, attached };

const refusalOf = (line: string): Refusal => {
  try {
    parseCommandLine(line);
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error(`was not refused: ${line}`);
};

describe("words", () => {
  const cases: readonly (readonly [string, readonly Word[]])[] = [
    ["-Name value", [parameter("Name"), value("value")]],
    ["-Name:value", [parameter("Name", "value")]],
    ["-Name: value", [parameter("Name", "value")]],
    ["-Name:-value", [parameter("Name", "-value")]],
    ["-Name:a,b", [parameter("Name", ["a", "b"])]],
    ["-Switch -Other", [parameter("Switch"), parameter("Other")]],
    ["a,b,c", [value(["a", "b", "c"])]],
    ["a, b ,c , d", [value(["a", "b", "c", "d"])]],
    ["'a','b c',\"d\"", [value(["a", "b c", "d"])]],
    ["-5 -.5", [value("-5"), value("-.5")]],
    ["-?", [parameter("?")]],
    ["  a\tb  ", [value("a"), value("b")]],
    ["a\u00a0b\u3000c", [value("a"), value("b"), value("c")]],
    ["user@host a#b 50% x=1 [int] C:\\x ~", ["user@host", "a#b", "50%", "x=1", "[int]", "C:\\x", "~"].map(value)],
    ["'it''s'", [value("it's")]],
    ['"say ""hi"""', [value('say "hi"')]],
    ['"a`"b`$c``d"', [value('a"b$c`d')]],
    ["a` b a`,b a`$b", [value("a b"), value("a,b"), value("a$b")]],
    ['"`u{41}`u{1F600}"', [value("A😀")]],
    ["'$x; (y) | {z} > & `n'", [value("$x; (y) | {z} > & `n")]],
    ["''", [value("")]],
    ["a'b c'd\"e f\"", [value("ab cde f")]],
    ["'-raw' \"-raw\" `-raw", [value("-raw"), value("-raw"), value("-raw")]],
    ["{24B0AA32-F8D0-40BA-BB05-73A800324C09}", [value("{24B0AA32-F8D0-40BA-BB05-73A800324C09}")]],
    ["{24b0aa32},9E4D2C1B", [value(["{24b0aa32}", "9E4D2C1B"])]],
    ["été 日本 PC-ÄÖ", [value("été"), value("日本"), value("PC-ÄÖ")]],
  ];
  test.each(cases)("%s", (rest, words) => {
    expect(wordsOf(rest)).toEqual(words);
  });

  test("dashes and quotes of a word processor count as typed ones, and close each other", () => {
    expect(wordsOf("–Name ‘a b’ —Other “c d”")).toEqual(wordsOf("-Name 'a b' -Other \"c d\""));
    expect(wordsOf("―Name ‚a' „b\"")).toEqual(wordsOf("-Name 'a' \"b\""));
    expect(parseCommandLine("Get–Command")[0].name).toBe("Get-Command");
  });

  test("a dash inside a value stays as it is", () => {
    expect(wordsOf("a–b 'a–b'")).toEqual([value("a–b"), value("a–b")]);
  });

  test("pipes part commands, quoted ones don't", () => {
    const names = (stages: readonly Stage[]): string[] => stages.map(({ name }) => name);
    expect(names(parseCommandLine("a -b c|d | e f"))).toEqual(["a", "d", "e"]);
    expect(parseCommandLine("a 'b|c'")).toEqual([{ name: "a", words: [value("b|c")] }]);
  });

  test("a script's last line break is no second line", () => {
    expect(parseCommandLine("Get-Command\r\n")).toEqual(parseCommandLine("Get-Command"));
  });
});

describe("what is a language gets a sentence that says what works instead", () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["X $name", /Variables.*single quotes/],
    ['X "a $name"', /Variables/],
    ['X "a $"', /Variables/],
    ["X a$b", /Variables/],
    ["$x = 1", /Variables/],
    ["X -raw:$true", /write -Name alone/],
    ["X -raw:$False", /write -Name alone/],
    ["X $trueish", /Variables/],
    ["X $(Get-Date)", /Variables/],
    ["X (Get-Date)", /Parentheses.*-Since 7d/],
    ["X a(b", /Parentheses/],
    ["X { $_ }", /Script blocks.*Get-Help/],
    ["X {24B0AA32", /Script blocks/],
    ["X {24B0AA32}x", /Script blocks/],
    ["X {}", /Script blocks/],
    ["X a}", /Script blocks/],
    ["X; Y", /one command a line/],
    ["X ;", /one command a line/],
    ["X & Y", /one command a line/],
    ["X && Y", /one command a line/],
    ["X || Y", /one command a line.*exit status/],
    ["& X", /one command a line/],
    ["X > file", /ssh HOST COMMAND > FILE/],
    ["X 2>&1", /ssh HOST COMMAND > FILE/],
    ["X < file", /Redirection/],
    ["X @names", /list with commas/],
    ["X @(1,2)", /list with commas/],
    ["@{a=1}", /list with commas/],
    ["X # comment", /Comments/],
    ["# comment", /Comments/],
    ["X --% raw", /stop-parsing/],
    ["'X'", /without quotes/],
    ["X'y'", /without quotes/],
    ["1 + 1", /expression/],
    ["-X", /expression/],
    ["[int]1", /expression/],
    ["!x", /expression/],
    [".", /expression/],
    ["X\nY", /one command a line/],
    ["X\rY", /one command a line/],
    ["X | %", /Format-List and Format-Table/],
    ["X | ./run", /expression/],
  ];
  test.each(cases)("%j", (line, words) => {
    const refusal = refusalOf(line);
    expect([refusal.category, refusal.reason]).toEqual(["ScriptsNotAllowed", "language"]);
    expect(refusal.message).toMatch(words);
  });
});

describe("what can't be read is said so", () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["", /empty/],
    [" \t ", /empty/],
    ["X 'open", /single quote is open/],
    ['X "open', /double quote is open/],
    ["X O’Brien", /single quote is open/],
    ["X a,", /missing beside a comma/],
    ["X ,a", /missing beside a comma/],
    ["X a,,b", /missing beside a comma/],
    ["X a,|Y", /missing beside a comma/],
    ["X a, -b", /after a comma/],
    ["X -Name:", /after a parameter's colon/],
    ["X -a,b", /part of a list/],
    ["X -", /plain letters and digits/],
    ["X -näme a", /plain letters and digits/],
    ["X -Na.me a", /plain letters and digits/],
    ["X --name", /one dash/],
    ["X -ra'w'", /without quotes/],
    ["X -ra`w", /without quotes/],
    ["X 'a'b", /followed by a space or a comma/],
    ["X a`", /backtick/],
    ['X "`n"', /control characters/],
    ['X "`u{202E}"', /control characters/],
    ['X "`u{110000}"', /10FFFF/],
    ['X "`u{zz}"', /Unicode escape/],
    ['X "`u{D800}"', /control characters/],
    ["X |", /missing beside a pipe/],
    ["| X", /missing beside a pipe/],
    ["X a\u0000b", /U\+0000/],
    ["X 'a\u0007b'", /U\+0007/],
    ["X a\u200bb", /U\+200B/],
    ["X a\u202eb", /U\+202E/],
    ["X \u{f0000}", /U\+F0000/],
    ["X \ue000", /U\+E000/],
    ["X \ud800", /U\+D800/],
    ["X \u001b[31m", /U\+001B/],
  ];
  test.each(cases)("%j", (line, words) => {
    const refusal = refusalOf(line);
    expect([refusal.category, refusal.reason]).toEqual(["InvalidArgument", "syntax"]);
    expect(refusal.message).toMatch(words);
  });

  test("what can't be a command's name is not recognised, in the words for every unknown name", () => {
    const words = refusalOf("Gеt-Help").message; // the second letter is Cyrillic
    for (const line of [
      "Get_Help",
      "./run",
      "C:\\x.exe",
      "Microsoft.PowerShell.Core\\Get-Help",
      "a--b",
      "x".repeat(65),
    ]) {
      const refusal = refusalOf(line === "./run" ? "/run" : line);
      expect([refusal.category, refusal.reason, refusal.message]).toEqual(["CommandNotFound", "unknown", words]);
    }
  });

  test("no message repeats what was typed", () => {
    const secret = "hunter2";
    const lines = [
      `X "${secret}`,
      `X ${secret}$`,
      `X -${secret}_ a`,
      `${secret}_`,
      `X '${secret}'${secret}`,
      `"${secret}"`,
    ];
    for (const line of lines) expect(refusalOf(line).message).not.toContain(secret);
  });
});

describe("limits", () => {
  const limits: readonly (readonly [string, string])[] = [
    ["a line", `X ${"a".repeat(maximumLineLength)}`],
    ["a value", `X ${"a".repeat(maximumValueLength + 1)}`],
    ["a quoted value", `X '${"a".repeat(maximumValueLength + 1)}'`],
    ["a list", `X ${"a,".repeat(maximumListLength)}a`],
    ["words", `X${" a".repeat(65)}`],
    ["commands", `X${" | X".repeat(8)}`],
  ];
  test.each(limits)("%s may only be so long", (_what, line) => {
    expect([refusalOf(line).category, refusalOf(line).reason]).toEqual(["LimitsExceeded", "limit"]);
  });

  test("what is just within them is read", () => {
    expect(wordsOf(Array.from({ length: maximumListLength }, (_, index) => index).join(","))[0]).toMatchObject({
      value: { length: maximumListLength },
    });
    expect(wordsOf("a".repeat(maximumValueLength))).toHaveLength(1);
    expect(parseCommandLine(`X${" ".repeat(maximumLineLength - 1)}`)[0].words).toEqual([]);
  });
});
