/*
 * ATTACK: a user runs, or finds out about, a command their roles don't hold: by its name, its alias, another case, a
 *         look-alike letter, behind a pipe, through help, completion data or an object's built-in property names.
 * DANGER: the command runs; or the attacker learns what is worth attacking.
 * EXPECT: the same category, exit status and words as for a command that was never written, through every door.
 */
import { expect, test } from "vitest";
import { commands } from "../../commands/index.ts";
import { Refusal } from "../../server/errors.ts";
import { decode, withEntries } from "../authorization/roles-text.ts";

const roles = decode(withEntries("verify-cert"));
const { bindLine, descriptions } = roles.commandsFor("alice");

const told = (line: string): readonly unknown[] => {
  try {
    bindLine(line);
  } catch (error) {
    if (error instanceof Refusal) return [error.category, error.exitStatus, error.message];
    throw error;
  }
  return ["ran"];
};

const hidden = [
  "Get-RecoveryKeys",
  "get-recoverykeys",
  "GET-AZSRECOVERYKEYS",
  "Get–RecoveryKeys",
  "backup-cert",
  "create-cert",
  "restore-cert",
  "BACKUP-CERT",
];
const rests = ["", " -raw", " -Name x -Name y", " -?", " a b c d", " -ComputerName 'x' | Measure-Object", " | Nothing"];

test.each(hidden)("%s is answered as a command that was never written, whatever follows", (name) => {
  for (const rest of rests) expect(told(`${name}${rest}`)).toEqual(told(`No-Such${rest}`));
  expect(told(name)).toEqual(["CommandNotFound", 127, expect.not.stringContaining(name)]);
});

test("the log, and only the log, knows the difference", () => {
  expect(() => bindLine("Get-AzsRecoveryKeys")).toThrow(
    expect.objectContaining({ reason: "hidden", command: "Get-RecoveryKeys" }),
  );
  expect(() => bindLine("Get-AzsRecoveryKey")).toThrow(
    expect.objectContaining({ reason: "unknown", command: undefined }),
  );
});

test("behind a pipe a hidden command and an unknown one are the same too", () => {
  for (const name of ["Get-RecoveryKeys", "backup-cert", "Get-AzsRecoveryKeys", "__proto__", "sh"]) {
    expect(told(`Get-Command | ${name}`)).toEqual(told("Get-Command | No-Such"));
  }
});

test("nothing that is handed to help, completion or Get-Command knows it", () => {
  const given = JSON.stringify(descriptions);
  expect(given).toContain("verify-cert");
  for (const word of ["RecoveryKeys", "backup-cert", "NoRotation"]) expect(given).not.toContain(word);
});

test.each(["__proto__", "constructor", "toString", "hasOwnProperty", "prototype", "valueOf", "then"])(
  "%s is neither a command, nor a parameter, nor a user, nor a role",
  (name) => {
    expect(told(name)).toEqual(name.includes("_") ? told("No_Such") : told("No-Such"));
    expect(told(`verify-cert -${name.replaceAll("_", "")}`)).toEqual(told("verify-cert -nosuch"));
    expect(roles.heldRoles(name)).toEqual([]);
    expect(roles.groupsOf(name)).toEqual([]);
    const names = roles.commandsFor(name).descriptions.map((one) => one.name);
    expect(names).toEqual(commands.filter(({ forEveryone }) => forEveryone).map((one) => one.name));
    const text = `{"roleCapabilities":{"r":{"visibleCommands":[]}},"roleDefinitions":{"user:a":{"roleCapabilities":["${name}"]}}}`;
    expect(() => decode(text)).toThrow(/there is no role capability|must be a name/);
  },
);

test("a roles file can't reach an object's prototype", () => {
  for (const text of [
    '{"roleCapabilities":{"__proto__":{"visibleCommands":["verify-cert"]}},"roleDefinitions":{}}',
    '{"roleCapabilities":{"r":{"visibleCommands":[]}},"roleDefinitions":{},"groups":{"__proto__":["alice"]}}',
    '{"__proto__":{"groups":{}},"roleCapabilities":{},"roleDefinitions":{}}',
    '{"\\u005f_proto__":{"groups":{}},"roleCapabilities":{},"roleDefinitions":{}}',
  ]) {
    expect(() => decode(text)).toThrow(/__proto__: is no possible name/);
  }
});

test.each([
  "Gеt-Command",
  "Ｇet-Command",
  "Get-Commаnd",
  "Get\u2010Command",
  "Get\u2212Command",
  "G\u0065\u0301t-Command",
  "verify-ſert",
  "verify-\u212Aert",
])("%s only looks like a command, and is none", (name) => {
  expect(told(name)).toEqual(told("No-Such"));
});
