import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { commands } from "../../commands/index.ts";
import type { CommandContext } from "../../server/command/define-command.ts";
import type { CheckedRoles } from "../../server/authorization/decode-roles.ts";
import { loadRolesFile } from "../../server/authorization/roles-file.ts";
import { createMemorySite } from "../commands/memory-site.ts";
import { portsOf, startOnRecord } from "../harness/closed-ports.ts";
import { noElevationPort } from "../harness/elevation.ts";
import { decode, everythingGranted, withEntries } from "./roles-text.ts";

const root = join(import.meta.dirname, "../..");
const shipped = loadRolesFile(join(root, "jea-roles.json"), commands);

const helpOf = async (roles: CheckedRoles, user: string, line: string): Promise<string> => {
  const visible = roles.commandsFor(user);
  const opening = await startOnRecord();
  const { signal } = new AbortController();
  const context: CommandContext = {
    ...portsOf(createMemorySite([])).forCommand(opening, {
      keyBounds: undefined,
      reviewer: { connectedUser: user },
      signal,
    }),
    connectedUser: user,
    visibleCommands: visible.descriptions,
    interactive: false,
    askPassword: () => Promise.reject(new Error("help asks for no password")),
    confirm: async () => true,
    search: undefined,
    closeComputers: undefined,
    elevation: noElevationPort,
    tell: async () => undefined,
  };
  const result = await visible.bindLine(line).command.run(context);
  return result.kind === "text" ? result.text : "";
};

test.each(["support", "exporter", "certadmin", "approver", "auditor", "guest"])("the help of %s", async (user) => {
  const names = shipped.commandsFor(user).descriptions.map(({ name }) => name);
  const pages = [await helpOf(shipped, user, "Get-Help")];
  for (const name of names) pages.push(await helpOf(shipped, user, `Get-Help ${name}`));
  const text = `${pages.join(`\n\n${"=".repeat(78)}\n\n`)}\n`;
  await expect(text).toMatchFileSnapshot(join(root, `test/golden/help-${user}.txt`));
  expect(text.split("\n").filter((line) => line.length > 110)).toEqual([]);
});

test("the committed pages say nothing of what a user can't run", () => {
  const hidden: Readonly<Record<string, RegExp>> = {
    support: /-raw\b.*site|NoRotation|(?:backup|create|restore)-cert|Safe-keeping/i,
    exporter: /-cert\b/i,
    certadmin: /RecoveryKeys|NoRotation/i,
    guest: /RecoveryKeys|NoRotation|-cert\b/i,
    auditor: /RecoveryKeys|NoRotation|-cert\b/i,
    approver: /RecoveryKeys|NoRotation|-cert\b/i,
  };
  for (const [user, pattern] of Object.entries(hidden)) {
    const page = readFileSync(join(root, `test/golden/help-${user}.txt`), "utf8");
    expect(page.length).toBeGreaterThan(1000);
    expect(page.match(pattern)?.[0], user).toBeUndefined();
  }
});

test("help states this user's values, patterns and rules, and only examples that work for them", async () => {
  const roles = decode(
    withEntries({
      name: "Get-RecoveryKeys",
      parameters: [
        { name: "ComputerName", validatePattern: "DEMO-.*" },
        { name: "VolumeType", validateSet: ["FixedData"] },
        "Reason",
      ],
      requireReason: true,
      maxRows: 1,
    }),
  );
  const page = await helpOf(roles, "alice", "Get-RecoveryKeys -?");
  expect(page).toContain("Allowed values: FixedData.");
  expect(page).toMatch(/only what matches, as a whole and in any case:\n +DEMO-\.\*\n/);
  expect(page).toContain("-Reason must be given.");
  expect(page).toContain("At most 1 row at a time");
  expect(page).not.toMatch(/EXAMPLES|-Since|-raw/);
});

test("every example works for someone who may do everything", () => {
  const { descriptions, bindLine } = decode(everythingGranted()).commandsFor("alice");
  for (const { name, examples } of commands) {
    expect(descriptions.find((one) => one.name === name)?.examples).toEqual(examples);
    for (const { line } of examples) expect(() => bindLine(line)).not.toThrow();
  }
});
