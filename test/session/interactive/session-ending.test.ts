import { expect, test } from "vitest";
import type { OpenTranscript } from "../../../server/audit/contract.ts";
import { EndpointError } from "../../../server/errors.ts";
import { recoveryKeyAt, startShell } from "./shell.ts";

const unavailable = new EndpointError("AuditUnavailable", "no space left");

/** Real transcripts that fail from the moment the returned function is called: a disk that becomes full. */
const failing = (why = unavailable) => {
  let full = false;
  const wrap =
    (real: OpenTranscript): OpenTranscript =>
    async (header) => {
      const transcript = await real(header);
      const orFull = async (write: () => Promise<void>): Promise<void> => {
        if (full) throw why;
        await write();
      };
      return {
        fileName: transcript.fileName,
        output: (text) => orFull(() => transcript.output(text)),
        resize: (columns, rows) => orFull(() => transcript.resize(columns, rows)),
        marker: (label) => orFull(() => transcript.marker(label)),
        discard: () => transcript.discard(),
        close: (exitStatus) => transcript.close(exitStatus),
      };
    };
  return { wrap, fill: () => (full = true) };
};

test("without a transcript no session is started: a plain sentence and status 254", async () => {
  const shell = startShell({ transcripts: () => () => Promise.reject(unavailable) });
  await expect(shell.result).resolves.toEqual({ exitStatus: 254, reason: "transcript unavailable" });
  expect(shell.output()).toBe("");
  expect(shell.errors()).toBe("◆ This session can't be recorded, so it was not started.\r\n");
  expect(shell.pool.processIds()).toEqual([]);
});

test("when its start can't be put on the record, no session is started", async () => {
  const shell = startShell({ dependencies: { onStarted: () => Promise.reject(unavailable) } });
  await expect(shell.result).resolves.toMatchObject({ exitStatus: 254 });
  expect(shell.output()).toBe("");
});

test.each([{ term: "xterm-256color" }, { term: "dumb" }])(
  "when the transcript fails in mid-session nothing more is shown ($term)",
  async ({ term }) => {
    const transcripts = failing();
    const shell = startShell({ transcripts: transcripts.wrap, terminal: { columns: 100, rows: 24, term } });
    await shell.sees("> ");
    transcripts.fill();
    const from = shell.output().length;
    shell.type("keys 1\r");
    await expect(shell.result).resolves.toMatchObject({ exitStatus: 254, reason: "transcript unavailable" });
    const after = shell.output().slice(from);
    expect(after).not.toContain(recoveryKeyAt(0).slice(0, 6));
    expect(after).toMatch(/^[^k]*◆ This session can't be recorded any more, so it ends here\.\r\n$/);
  },
);

test.each([{ term: "xterm-256color" }, { term: "dumb" }])(
  "a transcript that reached its limit ends the session with a plain message ($term)",
  async ({ term }) => {
    const transcripts = failing(
      new EndpointError("LimitsExceeded", "This session's transcript has reached its limit."),
    );
    const shell = startShell({ transcripts: transcripts.wrap, terminal: { columns: 100, rows: 24, term } });
    await shell.sees("> ");
    transcripts.fill();
    shell.type("keys 1\r");
    await expect(shell.result).resolves.toMatchObject({ exitStatus: 5, reason: "transcript limit" });
    expect(shell.output()).toMatch(/◆ This session's transcript has reached its limit\.\r\n$/);
  },
);

/** Plain lines, where the time is short: no process has to start first. */
const dumb = { columns: 80, rows: 24, term: "dumb" };

test("an idle session is warned, then ended", async () => {
  const shell = startShell({ dependencies: { idleTimeoutMs: 1_000 }, terminal: dumb });
  await expect(shell.result).resolves.toMatchObject({ exitStatus: 6, reason: "idle" });
  expect(shell.output()).toMatch(/◆ This session ends in 1 seconds unless you type something\.\r\nPS alice@demo> /);
  expect(shell.output()).toMatch(/◆ The session was ended: nothing was typed for too long\.\r\n$/);
});

test("the longest session ends although its user types", async () => {
  const shell = startShell({ dependencies: { longestSessionMs: 1_000, idleTimeoutMs: 500 }, terminal: dumb });
  const typing = setInterval(() => shell.type("x"), 20);
  await expect(shell.result).resolves.toMatchObject({ exitStatus: 6, reason: "longest-session" });
  clearInterval(typing);
  expect(shell.output()).toContain("it reaches its longest time");
});

test("a warning is shown on a screen too", async () => {
  const shell = startShell({ dependencies: { longestSessionMs: 12_000 } });
  await expect(shell.sees("notice: This session ends in 6 seconds")).resolves.toBeGreaterThan(0);
});

test("a shutdown ends an idle session at once, with a word about it", async () => {
  const shell = startShell();
  await shell.sees("> ");
  shell.shutdown.abort();
  await expect(shell.result).resolves.toMatchObject({ exitStatus: 7, reason: "shutdown" });
  expect(shell.output()).toMatch(/◆ The server is shutting down, so the session was ended\.\r\n$/);
});

test("a shutdown lets a running command finish", async () => {
  const shell = startShell();
  await shell.sees("> ");
  shell.type("brief\r");
  await expect.poll(() => shell.events.map(({ type }) => type)).toContain("command-started");
  shell.shutdown.abort();
  await expect(shell.result).resolves.toMatchObject({ exitStatus: 7 });
  expect(shell.events.at(-1)).toMatchObject({ type: "command-finished", outcome: "succeeded" });
});

test("a shutdown ends a command that does not finish in time", async () => {
  const shell = startShell({ dependencies: { drainMs: 200 } });
  await shell.sees("> ");
  shell.type("slow\r");
  await expect.poll(() => shell.events.map(({ type }) => type)).toContain("command-started");
  shell.shutdown.abort();
  await expect(shell.result).resolves.toMatchObject({ exitStatus: 7 });
  expect(shell.events.at(-1)).toMatchObject({ type: "command-finished", outcome: "stopped" });
});

test("a channel that closes stops the running command, and the session's UI process ends with it", async () => {
  const shell = startShell();
  await shell.sees("> ");
  shell.type("slow\r");
  await expect.poll(() => shell.events.map(({ type }) => type)).toContain("command-started");
  shell.close();
  const { transcript, exitStatus } = await shell.result;
  expect(exitStatus).toBe(130);
  expect(transcript?.transcriptDigest).toMatch(/^[0-9a-f]{64}$/);
  expect(shell.events.at(-1)).toMatchObject({ outcome: "stopped" });
  await expect.poll(() => shell.pool.processIds()).toEqual([]);
});

test.each([
  ["dumb", 1_000],
  ["xterm", 8_000],
])("a client that reads nothing does not hold up the end of its session (%s)", async (term, idleTimeoutMs) => {
  const shell = startShell({ dependencies: { idleTimeoutMs }, terminal: { columns: 80, rows: 24, term } });
  await shell.sees("> ");
  shell.stall();
  shell.type("text\r");
  await expect(shell.result).resolves.toMatchObject({ reason: "idle" });
});
