/*
 * ATTACK  A user types names that are almost those of commands, to be told which commands there are.
 * DANGER  "Did you mean backup-cert?" names a command that the user's roles hide, or its silence tells a hidden command from a near miss.
 * EXPECT  What is suggested comes from the user's own commands alone: the answer is the same as on a server that has no others.
 */
import { expect, test } from "vitest";
import { commands } from "../../commands/index.ts";
import type { AnyDefinition } from "../../server/command/define-command.ts";
import { decodeRoles } from "../../server/authorization/decode-roles.ts";
import { Refusal } from "../../server/errors.ts";
import { withEntries } from "../authorization/roles-text.ts";

const roles = withEntries("verify-cert");
const told = (definitions: readonly AnyDefinition[], line: string): readonly unknown[] => {
  try {
    decodeRoles(roles, definitions).commandsFor("alice").bindLine(line);
  } catch (error) {
    if (error instanceof Refusal) return [error.category, error.exitStatus, error.message];
    throw error;
  }
  return ["ran"];
};

const isHidden = ({ forEveryone, name }: AnyDefinition): boolean => !forEveryone && name !== "verify-cert";
const own = commands.filter((definition) => !isHidden(definition));
const hidden = commands.filter(isHidden).flatMap(({ name, aliases }) => [name, ...aliases]);

const nearMisses = (name: string): readonly string[] => [
  name,
  name.slice(0, -1),
  name.slice(0, 7),
  `${name}s`,
  name.replace("-", ""),
  name.replace(/^(.)(.)/, "$2$1"),
];

test.each(hidden)("near %s the answer is that of a server which has no such command", (name) => {
  for (const typed of nearMisses(name)) expect([typed, told(commands, typed)]).toEqual([typed, told(own, typed)]);
});

test("no answer names a hidden command", () => {
  const words = JSON.stringify(hidden.flatMap(nearMisses).map((typed) => told(commands, typed))).toLowerCase();
  expect(hidden.filter((name) => words.includes(name.toLowerCase()))).toEqual([]);
});

test("the user's own commands are suggested", () => {
  expect(told(commands, "verfy-cert")[2]).toContain("Did you mean verify-cert?");
});
