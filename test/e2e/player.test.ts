import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Endpoint, run, startEndpoint } from "../harness/endpoint.ts";
import { openTerminal } from "../harness/terminal.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

const escape = "\u001b";
const size = { columns: 80, rows: 24 };
/** A recovery key: eight groups of six digits. */
const keyShaped = /[0-9]{6}(?:-[0-9]{6}){7}/;

const transcriptOf = (endpoint: Endpoint, user: string): string => {
  const started = endpoint
    .events()
    .find((event) => event.type === "session-started" && event.connectedUser === user && event.mode === "interactive");
  if (started?.type !== "session-started" || started.sessionId === undefined) throw new Error(`${user} had no session`);
  return started.sessionId;
};

/** A support engineer looks at one key and leaves. */
const work = async (endpoint: Endpoint): Promise<string> => {
  const terminal = endpoint.terminal("support", size);
  await terminal.waitFor("PS support@pep>");
  terminal.type("Get-RecoveryKeys -ComputerName DEMO-PC-07 -Format list\r");
  await terminal.waitFor("1 row");
  expect(terminal.screen()).toMatch(keyShaped);
  terminal.type("exit\r");
  expect(await terminal.exited).toBe(0);
  await expect.poll(() => endpoint.events().some(({ type }) => type === "session-ended")).toBe(true);
  return transcriptOf(endpoint, "support");
};

test("an auditor watches what was done, without the key, and that is on the record before it is shown", async () => {
  const endpoint = await startEndpoint();
  const sessionId = await work(endpoint);
  const auditor = endpoint.terminal("auditor", size);
  await auditor.waitFor("PS auditor@pep>");
  auditor.type(`Show-Transcript ${sessionId}\r`);
  await auditor.waitFor(/ \/ 0:\d\d/);
  expect(endpoint.events().filter(({ type }) => type === "review")).toMatchObject([
    { connectedUser: "auditor", action: "play", reviewedSessionId: sessionId },
  ]);
  auditor.type(" ");
  await auditor.waitFor("‖");
  // On a busy machine the short session is over before the pause.
  auditor.type(`${escape}[Hn`);
  await auditor.waitFor(/\nGet-RecoveryKeys: exit status 0, 1 row\b/);
  auditor.type(`${escape}[F`);
  await auditor.waitFor(/RecoveryKey +:[^]*•{55}/);
  auditor.type(`${escape}[Hd`);
  await auditor.waitFor(/disclosed [0-9A-F]{8}-/);
  auditor.type("/1 row\r");
  await auditor.waitFor(/Found at 0:\d\d/);
  auditor.resize(40, 12);
  auditor.type("?");
  await auditor.waitFor("any key: back");
  auditor.type("x");
  auditor.type("q");
  await auditor.waitFor(/left\sat 0:\d\d[^]*PS auditor@pep>/);
  expect(auditor.raw()).not.toMatch(keyShaped);
  // Another command works as before, and the session's own record is whole.
  auditor.type("Get-Help Show-Transcript\r");
  await auditor.waitFor("SYNTAX");
  auditor.type("exit\r");
  expect(await auditor.exited).toBe(0);
  await expect
    .poll(() => endpoint.events().filter(({ type }) => type === "command-finished"))
    .toContainEqual(expect.objectContaining({ command: "Show-Transcript", outcome: "succeeded", exitStatus: 0 }));
  expect(endpoint.stderr()).not.toContain("was lost");
});

test("an auditor watches their own session, up to now; Ctrl-C leaves", async () => {
  const endpoint = await startEndpoint();
  const auditor = endpoint.terminal("auditor", size);
  await auditor.waitFor("PS auditor@pep>");
  auditor.type(`Show-Transcript ${transcriptOf(endpoint, "auditor")}\r`);
  await auditor.waitFor(/ \/ 0:\d\d\+/);
  auditor.type("\u0003");
  await auditor.waitFor(/left at 0:\d\d of[^]*PS auditor@pep>/);
  auditor.type("exit\r");
  expect(await auditor.exited).toBe(0);
});

test("a script gets the file as recorded, or as v2, which stock players play", async ({ skip }) => {
  const endpoint = await startEndpoint();
  const sessionId = await work(endpoint);
  const recorded = readFileSync(join(endpoint.dataDirectory, "audit", "transcripts", `${sessionId}.cast`));
  const v3 = await endpoint.ssh("auditor", `Show-Transcript ${sessionId}`);
  expect(v3.status, v3.stderr).toBe(0);
  expect(v3.stdoutBytes.equals(recorded)).toBe(true);
  expect(v3.stderr).toBe("");
  const v2 = await endpoint.ssh("auditor", `Show-Transcript ${sessionId} -V2`);
  expect(v2.status, v2.stderr).toBe(0);
  const [header = "", ...events] = v2.stdout.trimEnd().split("\n");
  expect(JSON.parse(header)).toMatchObject({ version: 2, width: 80, height: 24 });
  expect(events.length).toBeGreaterThan(5);
  const finished = endpoint.events().filter((event) => event.type === "command-finished");
  expect(finished.find(({ sentBytes }) => sentBytes === recorded.length)).toMatchObject({ command: "Show-Transcript" });

  const installed = await run("asciinema", ["--version"]).catch(() => undefined);
  if (installed === undefined) return skip("asciinema is not installed");
  const file = join(temporaryDirectory(), "session.cast");
  writeFileSync(file, v2.stdout);
  // It opens the terminal that it runs in.
  const player = openTerminal("asciinema", ["cat", file], size);
  expect(await player.exited).toBe(0);
  await player.waitFor("1 row");
  expect(player.scrollback()).toMatch(/RecoveryKey +:[^]*•{55}/);
});

test("where no transcript can be played or found, a sentence says what works", async () => {
  const endpoint = await startEndpoint();
  const sessionId = await work(endpoint);
  const lines = await run("ssh", endpoint.sshArguments("auditor", ["-T", "-o", "LogLevel=ERROR"]), {
    input: `Show-Transcript ${sessionId}\n`,
  });
  expect(lines.stderr).toContain(`ssh HOST "Show-Transcript ${sessionId}" > session.cast`);
  expect(endpoint.events().filter(({ type }) => type === "review")).toEqual([]);
  const none = await endpoint.ssh("auditor", "Show-Transcript S-0000000000000000");
  expect(none).toMatchObject({ status: 3, stdout: "" });
  expect(none.stderr).toMatch(/^ObjectNotFound: There is no transcript of session S-0000000000000000/);
  const path = await endpoint.ssh("auditor", "Show-Transcript ../../log-key");
  expect(path).toMatchObject({ status: 2, stdout: "" });
  for (const user of ["support", "exporter", "certadmin", "approver", "guest"] as const) {
    expect(await endpoint.ssh(user, `Show-Transcript ${sessionId}`)).toMatchObject({ status: 127, stdout: "" });
  }
});

test("in a script with a terminal nothing of a transcript is obeyed", async () => {
  const endpoint = await startEndpoint();
  const planted = "S-00000000000000aa";
  writeFileSync(
    join(endpoint.dataDirectory, "audit", "transcripts", `${planted}.cast`),
    `{"version":3,"term":{"cols":80,"rows":24}}\n[0.1, "o", "raw ${escape}]0;evil\u0007${escape}[6n"]\n`,
  );
  const shown = openTerminal("ssh", [...endpoint.sshArguments("auditor", ["-tt"]), `Show-Transcript ${planted}`], size);
  expect(await shown.exited).toBe(0);
  await shown.waitFor("raw");
  expect(shown.raw()).not.toContain(escape);
});
