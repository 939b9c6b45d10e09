/*
 * ATTACK  A UI process looks keys up: without the rule, without an end, while a line runs, behind the lock. Its piece is too short, or holds
 *         a command line.
 * DANGER  A way to search beside the one that is limited and recorded; or a command that nobody typed.
 * EXPECT  A question is a line `Get-RecoveryKeys -Search`: bound by the role, counted, durable on the record before the site is asked. What an
 *         honest UI process does not send ends the process. A newer question stops an older one, and a line stops both.
 */
import { expect, test } from "vitest";
import { commands } from "../../commands/index.ts";
import type { AuditEvent } from "../../server/audit/event.ts";
import { decodeRoles } from "../../server/authorization/decode-roles.ts";
import type { SiteDatabase } from "../../server/command/site-database.ts";
import { createInvoke } from "../../server/session/invoke.ts";
import { createMemorySite, makeKeys } from "../commands/memory-site.ts";
import { portsOf } from "../harness/closed-ports.ts";
import { noElevation } from "../harness/elevation.ts";
import { limitsOf } from "../harness/limits.ts";
import { searchRule, seekerRoles } from "../harness/search-rule.ts";
import { stageLock } from "../harness/session-lock.ts";
import { startShell, type ShellOptions } from "../session/interactive/shell.ts";

const entry = { parameters: ["ComputerName", "RecoveryKeyId", "Reason", "Format"], search: searchRule };

interface Stage {
  readonly user?: string;
  readonly entry?: object;
  readonly search?: SiteDatabase["searchKeys"];
  readonly append?: (event: AuditEvent) => Promise<void>;
  readonly dependencies?: ShellOptions["dependencies"];
}

/** A shell on the real commands, under these roles of `exporter`. */
const open = async ({ user = "exporter", entry: own = entry, search, append, dependencies }: Stage = {}) => {
  const site = createMemorySite(makeKeys(30)); // PC-0001 to PC-0010
  const roles = decodeRoles(seekerRoles(own), commands);
  const events: AuditEvent[] = [];
  const visible = roles.commandsFor(user);
  const invoke = createInvoke({
    log: {
      append: async (event) => {
        await append?.(event);
        events.push(event);
      },
    },
    ports: portsOf(search === undefined ? site : { ...site, searchKeys: search }),
    visibleCommands: () => visible,
    elevation: noElevation,
    connectedUser: user,
    party: { connectedUser: user, keyFingerprint: `SHA256:${user}` },
    ...limitsOf(roles),
    origin: {},
    uptimeMs: () => performance.now(),
  });
  const shell = startShell({
    connectedUser: user,
    dependencies: { invoke, visibleCommands: () => visible.descriptions, ...dependencies },
  });
  await shell.sees("> ");
  return {
    ...shell,
    events,
    types: () => events.map(({ type }) => type),
    asked: () => site.asked.map(({ what }) => what),
    lookUp: async (piece: string): Promise<string> => {
      const from = shell.output().length;
      shell.type(`!look-up ${piece}\r`);
      await shell.sees(/candidates of [^\n]*\n/, from);
      return /candidates of [^\r]*/.exec(shell.output().slice(from))?.[0] ?? "";
    },
  };
};

test("a question is a search like any other: durable before the site is asked, and marked in the transcript", async () => {
  const shell = await open({
    append: async ({ type }) => void (type === "search" && expect(shell.asked()).toEqual([])),
  });
  expect(await shell.lookUp("PC-0002")).toMatch(
    /^candidates of PC-0002 \[ABCD0004-[^,]*,ABCD0005-[^,]*,ABCD0006-[^,]*\] $/,
  );
  expect(shell.types()).toEqual(["command-started", "search", "command-finished"]);
  expect(shell.events[1]).toMatchObject({ piece: "PC-0002", roleCapability: "seeker" });
  expect(shell.asked()).toEqual(["search"]);
  expect(shell.markers()).toEqual(["Get-RecoveryKeys: exit status 0, 3 rows"]);
});

test("without the rule nothing is asked, and the try is on the record", async () => {
  const shell = await open({ entry: { parameters: ["ComputerName", "RecoveryKeyId"] } });
  expect(await shell.lookUp("PC-0002")).toContain("has no such parameter");
  expect([shell.types(), shell.asked()]).toEqual([["command-refused"], []]);
});

test("without the command the answer is that of a command that was never written", async () => {
  const shell = await open({ user: "nobody" });
  expect(await shell.lookUp("PC-0002")).toMatch(/\[\] That is not recognised as the name of a command/);
  expect([shell.types(), shell.asked()]).toEqual([["command-refused"], []]);
});

test("more questions than an hour allows are not asked", async () => {
  const shell = await open();
  for (const piece of ["PC-0001", "PC-0002", "PC-0003"]) await shell.lookUp(piece);
  expect(await shell.lookUp("PC-0004")).toMatch(/^candidates of PC-0004 \[\] You searched 3 times/);
  expect(shell.types().filter((type) => type === "search")).toHaveLength(3);
  expect(shell.asked()).toHaveLength(3);
});

test("a piece that is too short for the role is not asked", async () => {
  const shell = await open();
  expect(await shell.lookUp("PC")).toContain("A search needs 3 letters or digits");
  expect([shell.types(), shell.asked()]).toEqual([["command-refused"], []]);
});

test("a question that can't be recorded is not asked", async () => {
  const shell = await open({
    append: async ({ type }) => {
      if (type === "search") throw new Error("EIO");
    },
  });
  expect(await shell.lookUp("PC-0002")).toContain("[] ");
  expect(shell.asked()).toEqual([]);
});

test.each([
  ["while a line runs", "!look-up-while-a-line-runs", "look-up out of turn"],
  ["with a line end", "!look-up-line-end", "undecodable message"],
  ["with a quote", "!look-up-quote", "undecodable message"],
  ["with a terminal sequence", "!look-up-control", "undecodable message"],
  ["with a glyph", "!look-up-glyph", "undecodable message"],
  ["with a wildcard", "!look-up-wildcard", "undecodable message"],
  ["for nothing", "!look-up-nothing", "undecodable message"],
  ["for more than a name has", "!look-up-long", "undecodable message"],
  ["with a field too many", "!look-up-extra-field", "undecodable message"],
])("a UI process that asks %s ends, and nothing is searched", async (_, line, detail) => {
  const shell = await open();
  shell.type(`${line}\r`);
  await shell.sees("notice: The screen stopped and was started again.");
  await expect.poll(() => shell.lost).toMatchObject([{ cause: "breach", detail }]);
  expect(shell.types()).not.toContain("search");
  expect(shell.asked()).toEqual([]);
});

/** A search that ends only when it is stopped. */
const endless: SiteDatabase["searchKeys"] = async function* wait(_search, signal) {
  yield [];
  await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
};

test("a newer question stops the older one, and of many at once the last alone is asked", async () => {
  const shell = await open({ search: endless });
  shell.type("!look-up PC-0001\r");
  await expect.poll(shell.types).toEqual(["command-started", "search"]);
  shell.type("!look-up PC-0002 PC-0003 PC-0004 PC-0005\r");
  await expect
    .poll(shell.types)
    .toEqual(["command-started", "search", "command-finished", "command-started", "search"]);
  expect(shell.events[2]).toMatchObject({ outcome: "stopped" });
  expect(shell.events[4]).toMatchObject({ piece: "PC-0005" });
  expect(shell.output()).not.toContain("candidates of");
});

test("a line stops the question before it, and runs when it has ended", async () => {
  const shell = await open({ search: endless });
  shell.type("!look-up-then-line\r");
  await shell.sees(/end 0 \d+ /);
  expect(shell.types().slice(-2)).toEqual(["command-started", "command-finished"]);
  expect(shell.output()).not.toContain("candidates of");
  expect(shell.lost).toEqual([]);
});

test("a UI process that dies takes its question along", async () => {
  const shell = await open({ search: endless });
  shell.type("!look-up PC-0001\r");
  await expect.poll(shell.types).toEqual(["command-started", "search"]);
  process.kill(shell.ui.process(), "SIGKILL");
  await shell.sees("notice: The screen stopped and was started again.");
  await expect.poll(() => shell.events.at(-1)).toMatchObject({ type: "command-finished", outcome: "stopped" });
});

test("the lock stops a question, and behind it none is asked", async () => {
  const { lock, code } = await stageLock();
  const shell = await open({ search: endless, dependencies: { idleLockMs: 3_000, lock } });
  shell.type("!plan look-up\r");
  shell.type("!look-up PC-0001\r");
  await shell.sees("Code:");
  await expect.poll(shell.types).toEqual(["command-started", "search", "command-finished"]);
  expect(shell.events[2]).toMatchObject({ outcome: "stopped" });
  shell.type(`${code()}\r`);
  // What was asked while the screen was the server's.
  await expect
    .poll(shell.types)
    .toEqual(["command-started", "search", "command-finished", "command-started", "search"]);
});
