/*
 * ATTACK: a page shows a harmless command and puts several lines into the clipboard, or somebody pastes at the wrong moment: a note, a
 *         mail, the password behind a command. The terminal marks the paste (ESC [ 200 ~), or doesn't.
 * DANGER: what nobody read runs, keys of other computers are disclosed, and what stands behind a question is recorded.
 * EXPECT: a pasted line end runs nothing. Each line stands at the prompt and waits for Enter; Ctrl-C drops them all, and so does a
 *         question that the server asks.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { startSharedEndpoint, type Endpoint } from "../harness/endpoint.ts";

let endpoint: Endpoint;
beforeAll(async () => {
  endpoint = await startSharedEndpoint();
  return endpoint.end;
});

const started = (): readonly string[] =>
  endpoint.events().flatMap((event) => (event.type === "command-started" ? [event.command] : []));
const transcripts = (): string => {
  const folder = join(endpoint.dataDirectory, "audit", "transcripts");
  return readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), "utf8"))
    .join("\n");
};
const password = "Correct-Horse-77-Battery";
const atPrompt = /@pep> ?$/;
const marked = (text: string): string => `\u001b[200~${text}\u001b[201~`;
const unmarked = (text: string): string => text;

describe.each([
  ["a screen, marked", {}, marked],
  ["a screen, unmarked", {}, unmarked],
  ["a dumb terminal, marked", { TERM: "dumb" }, marked],
  ["a dumb terminal, unmarked", { TERM: "dumb" }, unmarked],
])("into %s:", (_, env, paste) => {
  test("several lines wait for Enter each, and Ctrl-C drops the rest", async () => {
    const terminal = endpoint.terminal("support", { columns: 160, rows: 40 }, env);
    await terminal.waitFor(atPrompt);
    const before = started().length;
    terminal.type(paste("Get-Help exit\r\nGet-Command\r\nGet-RecoveryKeys -ComputerName DEMO-PC-01\r\n"));
    await terminal.waitFor("Get-Help exit");
    terminal.type("\r");
    await terminal.waitFor(/SYNTAX[^]*@pep> Get-Command/);
    expect(started().slice(before)).toEqual(["Get-Help"]);
    terminal.type("\r");
    await terminal.waitFor(/@pep> Get-RecoveryKeys -ComputerName DEMO-PC-01/);
    expect(started().slice(before)).toEqual(["Get-Help", "Get-Command"]);
    terminal.type("\u0003");
    await terminal.waitFor(/\^C[^]*@pep> ?$/);
    terminal.type("exit");
    terminal.type("\r");
    await terminal.exited;
    expect(started().slice(before)).toEqual(["Get-Help", "Get-Command", "Exit-PSSession"]);
  });

  test("a password behind a command answers no question and is in no transcript", async () => {
    const terminal = endpoint.terminal("certadmin", { columns: 160, rows: 40 }, env);
    await terminal.waitFor(atPrompt);
    terminal.type(paste(`backup-cert -Name pasted\r${password}\r${password}\r`));
    await terminal.waitFor("backup-cert -Name pasted");
    terminal.type("\r");
    await terminal.waitFor(/others\): ?$/);
    terminal.type("\u0003");
    await terminal.waitFor(atPrompt);
    terminal.type("exit");
    terminal.type("\r");
    await terminal.exited;
    expect(terminal.raw()).not.toContain(password);
    expect(transcripts()).not.toContain(password);
  });
});

test("one line and its marked end stand at the prompt", async () => {
  const terminal = endpoint.terminal("support", { columns: 160, rows: 40 });
  await terminal.waitFor(atPrompt);
  const before = started().length;
  terminal.type(marked("Get-Capability\r"));
  await terminal.waitFor("Get-Capability");
  terminal.type(" -Nonsense");
  await terminal.waitFor("Get-Capability -Nonsense");
  expect(started().slice(before)).toEqual([]);
});
