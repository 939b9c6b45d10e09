/*
 * ATTACK  Somebody who hears that a role is about to be taken away leaves what it shows open: a page of keys with more to come,
 *         the record that is followed, a transcript in the player, a question that was not answered yet.
 * DANGER  The roles are read again, the command is gone for every new line, and page after page still comes.
 * EXPECT  Nothing more is disclosed or shown once the roles in force don't grant it; who keeps the right notices nothing.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startEndpoint, type DemoUser, type Endpoint } from "../harness/endpoint.ts";
import type { Terminal } from "../harness/terminal.ts";

const gone = "You may not run this any longer, so it was stopped.";

const openSession = async (it: Endpoint, user: DemoUser): Promise<Terminal> => {
  const terminal = it.terminal(user, { columns: 110, rows: 30 });
  await terminal.waitFor(/PS.*>\s*$/);
  return terminal;
};

const changeRoles = async (it: Endpoint, change: (definitions: Record<string, unknown>) => void): Promise<void> => {
  const path = join(it.dataDirectory, "jea-roles.json");
  const roles = JSON.parse(readFileSync(path, "utf8"));
  change(roles.roleDefinitions);
  writeFileSync(path, JSON.stringify(roles));
  const loads = (): number => it.events().filter(({ type }) => type === "configuration-loaded").length;
  const before = loads();
  it.signal("SIGHUP");
  await expect.poll(loads).toBeGreaterThan(before + 1);
};

const keysShown = (it: Endpoint): number =>
  it.events().reduce((sum, event) => sum + (event.type === "disclosure" ? event.keys.length : 0), 0);

test("a page that was left open leads to no further keys", async () => {
  const it = await startEndpoint();
  const exporter = await openSession(it, "exporter");
  exporter.type("Get-RecoveryKeys -Format table\r");
  await exporter.waitFor(/\[y\/N\]/);
  exporter.type("y\r");
  await expect.poll(() => keysShown(it)).toBeGreaterThan(0);
  await exporter.waitFor(/more/i);
  const before = keysShown(it);
  await changeRoles(it, (definitions) => delete definitions["user:exporter"]);
  await exporter.waitFor("What you may run was changed");
  exporter.type(" ");
  await exporter.waitFor(gone);
  expect(keysShown(it)).toBe(before);
});

test("a list that was left open opens no key, and a card that was closed no further one", async () => {
  const it = await startEndpoint();
  const exporter = await openSession(it, "exporter");
  exporter.type("Get-RecoveryKeys\r");
  await exporter.waitFor("65 keys. Enter shows one");
  expect(keysShown(it)).toBe(0);
  exporter.type("\r");
  await exporter.waitFor("Read back, group 1");
  await changeRoles(it, (definitions) => delete definitions["user:exporter"]);
  exporter.type("\u001b");
  await exporter.waitFor("65 keys, 1 shown");
  exporter.type("\r");
  await exporter.waitFor(gone);
  expect(keysShown(it)).toBe(1);
});

test("the record is followed no further, and a player gets no further piece", async () => {
  const it = await startEndpoint();
  const watched = await openSession(it, "support");
  watched.type("Get-Command\r");
  await watched.waitFor("Get-RecoveryKeys");
  const session = it.events().find((event) => event.type === "session-started" && event.connectedUser === "support");
  const sessionId = session?.type === "session-started" ? session.sessionId : "";
  const follower = await openSession(it, "auditor");
  follower.type("Get-AuditEvent -Follow\r");
  await expect
    .poll(() => it.events().filter((event) => event.type === "review" && event.action === "follow").length)
    .toBe(1);
  // A reload that takes nothing away ends nothing.
  await changeRoles(it, (definitions) => delete definitions["user:exporter"]);
  await follower.waitFor("configuration-loaded");
  const player = await openSession(it, "auditor");
  player.type(`Show-Transcript ${sessionId ?? ""}\r`);
  await expect
    .poll(() => it.events().filter((event) => event.type === "review" && event.action === "play").length)
    .toBe(1);
  await changeRoles(it, (definitions) => delete definitions["user:auditor"]);
  await follower.waitFor(gone);
  await it.ssh("support", "Get-RecoveryKeys -ComputerName DEMO-PC-01");
  expect(follower.scrollback()).not.toContain("DEMO-PC-01");
});

test("a question that is answered too late does nothing", async () => {
  const it = await startEndpoint();
  const administrator = await openSession(it, "certadmin");
  administrator.type("backup-cert late\r");
  await administrator.waitFor(/asks[^]*others\):/);
  await changeRoles(it, (definitions) => delete definitions["user:certadmin"]);
  await administrator.waitFor("What you may run was changed");
  administrator.type("Correct-Horse-7-Battery\r");
  await administrator.waitFor(/, again:/);
  administrator.type("Correct-Horse-7-Battery\r");
  await administrator.waitFor(gone);
  expect(it.events().findLast(({ type }) => type === "command-finished")).toMatchObject({
    command: "backup-cert",
    outcome: "stopped",
  });
});
