import { expect, test } from "vitest";
import { readCmdLine } from "./cmd-exe.ts";

test.each([
  // The examples of Microsoft's page on the parsing of C command-line arguments.
  ['"a b c" d e', ["a b c", "d", "e"]],
  ['"ab\\"c" "\\\\" d', ['ab"c', "\\", "d"]],
  ['a\\\\\\b d"e f"g h', ["a\\\\\\b", "de fg", "h"]],
  ['a\\\\\\"b c d', ['a\\"b', "c", "d"]],
  ['a\\\\\\\\"b c" d e', ["a\\\\b c", "d", "e"]],
  ['"a b"" c"', ['a b" c']],
  ["ssh pep 'Get-Command -Name x'", ["ssh", "pep", "'Get-Command", "-Name", "x'"]],
])("%s", (line, words) => {
  expect(readCmdLine(line).words).toEqual(words);
});

test("redirections outside double quotes are cmd.exe's own", () => {
  expect(readCmdLine('ssh pep "a > b" < in > out')).toEqual({ words: ["ssh", "pep", "a > b"], from: "in", to: "out" });
});

test("what cmd.exe would run, or replace, is no line for it", () => {
  expect(() => readCmdLine("ssh pep 'a | b'")).toThrow("something else");
  expect(() => readCmdLine('ssh pep "%PATH%"')).toThrow("something else");
});
