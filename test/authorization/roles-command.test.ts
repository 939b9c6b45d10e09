import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { rolesCommand } from "../../server/cli/roles.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

const shipped = join(import.meta.dirname, "../../jea-roles.json");

const copyOfShipped = (): string => {
  const path = join(temporaryDirectory(), "jea-roles.json");
  copyFileSync(shipped, path);
  chmodSync(path, 0o600);
  return path;
};

const run = (path: string, ...args: readonly string[]): { readonly status: number; readonly text: string } => {
  let text = "";
  const status = rolesCommand(
    { path, dataDirectory: dirname(path), arguments: args },
    { stdout: { write: (piece) => void (text += piece) } },
  );
  return { status, text };
};

test("`roles test` on the shipped file: no errors, and the one warning that is meant", () => {
  const path = copyOfShipped();
  expect(run(path, "test")).toEqual({
    status: 0,
    text:
      "warning: line 20, roleCapabilities.exporter.visibleCommands[0]: grants the restricted Protectors, NoRotation, raw without any rule: " +
      `every key of the site may be taken at once.\n${path}: no errors, 1 warning\n`,
  });
});

test("`roles test` knows the users that have a key beside it", () => {
  const path = copyOfShipped();
  mkdirSync(join(path, "../authorized-keys"));
  for (const user of ["support", "exporter", "certadmin", "auditor"]) {
    writeFileSync(join(path, "../authorized-keys", user), "");
  }
  expect(run(path, "test").text).toMatch(/warning: .*roleDefinitions\.user:approver: approver is not known/);
});

test("`roles test` on a broken file throws every error with its line", () => {
  const path = join(temporaryDirectory(), "roles.json");
  writeFileSync(
    path,
    '{\n"roleCapabilities": {"a": {"visibleCommands": ["X"]}},\n"roleDefinitions": {"group:b": {"roleCapabilities": ["c"]}}}',
    {
      mode: 0o600,
    },
  );
  expect(() => run(path, "test")).toThrow(
    expect.objectContaining({
      exitStatus: 2,
      message: [
        `${path}, line 3, roleDefinitions.group:b: there is no group b.`,
        `${path}, line 3, roleDefinitions.group:b.roleCapabilities[0]: there is no role capability c.`,
        `${path}, line 2, roleCapabilities.a.visibleCommands[0]: there is no command X.`,
      ].join("\n"),
    }),
  );
});

test("`roles show` says what a user may do, and why", () => {
  const { status, text } = run(copyOfShipped(), "show", "Support");
  expect(status).toBe(0);
  expect(text).toBe(`support: in operators

role operator, through group:operators
  Helpdesk: the keys of a computer or of a key id that a caller names, a few at a time.
  Get-RecoveryKeys
      from roleCapabilities.operator.visibleCommands[0], line 7
      parameters: -ComputerName, -RecoveryKeyId, -VolumeType, -Since, -Latest, -Strict, -Reason, -Format, -Search (restricted)
      rule: Give at least one of -ComputerName, -RecoveryKeyId.
      rule: A search lists at most 10 keys and shows no recovery key. It needs 3 letters or digits of a name, or 4 of a key id. 200 searches an hour. A name without keys is answered with close ones, which takes one or two of them.
      rule: At most 10 rows at a time; when there are more, none is shown.
      rule: At most 100 different recovery keys an hour, over all commands and roles.
  verify-cert
      from roleCapabilities.operator.visibleCommands[1], line 14
      parameters: -raw, -Thumbprint, -Format

default commands, as everyone who may connect: Get-Command, Get-Capability, Get-Help, Select-Object, Sort-Object, Measure-Object, Format-List, Format-Table, Clear-Host, Exit-PSSession
limits, as everyone: 20 sessions, 4 commands running at a time
`);
});

test("`roles show` of someone without a role, and of someone who may not connect", () => {
  expect(run(copyOfShipped(), "show", "guest").text).toContain("has no role: the default commands only");
  const path = join(temporaryDirectory(), "roles.json");
  writeFileSync(path, '{"roleCapabilities":{},"roleDefinitions":{},"groups":{"g":["a"]},"requiredGroups":"g"}', {
    mode: 0o600,
  });
  expect(run(path, "show", "bob").text).toContain("does not meet requiredGroups, so has no command");
  expect(run(path, "show", "a").text).toContain("in g");
});

test.each([[[]], [["show"]], [["test", "x"]], [["show", "a", "b"]], [["list"]]])(
  "`roles` with %j says what to write",
  (args) => {
    expect(() => run(shipped, ...args)).toThrow("Write: pep roles test, or: pep roles show USER.");
  },
);
