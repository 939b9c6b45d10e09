/*
 * ATTACK: a second command, a variable, a redirection or a control sequence travels inside what looks like one command:
 *         in quotes, after a line break, in an escape, behind a smart quote, after an invisible character.
 * DANGER: something runs that was not decided on, or the log and the screen show another line than the one that ran.
 * EXPECT: text in quotes stays text; whatever could be a language is refused; invisible characters are refused.
 */
import { expect, test } from "vitest";
import { decode, outcome, withEntries } from "../authorization/roles-text.ts";

const roles = decode(withEntries("Get-RecoveryKeys", "backup-cert"));
const { bindLine } = roles.commandsFor("alice");

test.each([
  "; backup-cert x",
  "| backup-cert x",
  "$(backup-cert x)",
  "`; x",
  "&& x",
  "> /tmp/x",
  "{ x }",
  "@(x)",
  "# x",
  "-raw",
])("%s in single quotes is one reason", (text) => {
  const bound = bindLine(`Get-RecoveryKeys PC-1 -Reason '${text}'`);
  expect(bound.command.parameters).toEqual({ ComputerName: ["PC-1"], Reason: text });
  expect(bound.shaping).toEqual([]);
});

test.each([
  "Get-RecoveryKeys PC-1\nbackup-cert x",
  "Get-RecoveryKeys PC-1\rbackup-cert x",
  "Get-RecoveryKeys PC-1\r\n\r\n\r\nbackup-cert x",
  "Get-RecoveryKeys PC-1\u2028backup-cert x",
  "Get-RecoveryKeys PC-1\u0085backup-cert x",
  "Get-RecoveryKeys PC-1;backup-cert x",
  'Get-RecoveryKeys PC-1 -Reason "$(backup-cert x)"',
  "Get-RecoveryKeys PC-1 -Reason “$(backup-cert x)”",
  "Get-RecoveryKeys PC-1 -Reason 'a’;backup-cert x",
  "Get-RecoveryKeys (backup-cert x)",
  "Get-RecoveryKeys PC-1>x",
  "Get-RecoveryKeys PC-1 2>&1",
  "&backup-cert x",
  ". backup-cert x",
  "Get-RecoveryKeys {24B0AA32;backup-cert}",
])("%j runs nothing", (line) => {
  expect(() => bindLine(line)).toThrow(expect.objectContaining({ category: "ScriptsNotAllowed", exitStatus: 126 }));
});

test.each([
  "\u001b]0;x\u0007",
  "\u009b31m",
  "\u0000",
  "\u0008",
  "\u007f",
  "\u200e",
  "\u202e",
  "\u2066",
  "\ufeff",
  "\u{e0041}",
  "\u{f0000}",
  "\ue000",
  "\ud83d",
])("%j is refused wherever it stands", (character) => {
  for (const line of [
    `Get-RecoveryKeys PC${character}-1`,
    `Get-RecoveryKeys PC-1 -Reason 'a${character}b'`,
    // A mark of the byte order before a whole line is what an editor of Windows writes there, and no part of it.
    ...(character === "\ufeff" ? [] : [`${character}Get-Command`]),
  ]) {
    expect(outcome(roles, line)).toMatch(/control character or an invisible one \(U\+[0-9A-F]{4,6}\)/);
  }
});

test("what a refusal says never repeats a value, so no recovery key comes back", () => {
  const key = "235818-357951-253979-013365-241120-245575-342914-591910";
  const lines = [
    key,
    `Get-RecoveryKeys ${key}`,
    `Get-RecoveryKeys -RecoveryKeyId ${key}`,
    `Get-RecoveryKeys -VolumeType ${key}`,
    `Get-RecoveryKeys -Format ${key}`,
    `Get-RecoveryKeys -Since ${key}`,
    `Get-RecoveryKeys -x${key.replaceAll("-", "")}`,
    `Get-RecoveryKeys PC-1 PC-2 ${key}`,
    `backup-cert -Name x -Form '${key}`,
    `x${key}`,
    `Get-Command | ${key}`,
    `Get-Command | Select-Object ${key}`,
    `Get-Command ${key.replaceAll("-", "")}x_`,
  ];
  for (const line of lines) {
    const words = outcome(roles, line);
    expect(words).not.toMatch(/^accepted/);
    expect(words).not.toMatch(/235818|357951/);
  }
});

test("a value that holds a recovery key is refused, and not repeated", () => {
  const key = "235818-357951-253979-013365-241120-245575-342914-591910";
  for (const typed of [key, key.replaceAll("-", ""), key.replaceAll("-", " "), key.slice(0, 50)]) {
    const words = outcome(roles, `Get-RecoveryKeys PC-1 -Reason '${typed}'`);
    expect(words).toContain("-Reason must not hold a recovery key");
    expect(words).not.toMatch(/\d{6}/);
  }
  expect(outcome(roles, `backup-cert k${key.replaceAll("-", "")}`)).toContain("must not hold a recovery key");
});
