import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { transcriptPort } from "../../server/audit-review/open-transcript.ts";
import { EndpointError } from "../../server/errors.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { runLine } from "../commands/run-line.ts";
import { createMemorySite } from "../commands/memory-site.ts";
import { startShell, type ShellOptions } from "../session/interactive/shell.ts";

const watched = "S-00000000000000aa";
const bytes = 300_000;

const shellWithTranscript = (options: ShellOptions = {}) => {
  const shell = startShell(options);
  writeFileSync(join(shell.transcripts, `${watched}.cast`), "x".repeat(bytes), { mode: 0o600 });
  return shell;
};

describe("a session's transcript", () => {
  test("is given piece by piece, once it is on the record who watches", async () => {
    const shell = shellWithTranscript();
    const seen = await shell.run(`transcript ${watched}`);
    expect(seen).toContain(`transcript ${watched} ${bytes}\r\n`);
    expect(seen).toMatch(/piece 0 to 262144\r\npiece 262144 to 300000\r\nend 0 0/);
    const types = shell.events.map(({ type }) => type);
    expect(types.slice(-3)).toEqual(["command-started", "review", "command-finished"]);
    expect(shell.events.at(-2)).toMatchObject({ action: "play", reviewedSessionId: watched });
  });

  /*
   * ATTACK  The disk is full, or the log broken, while an auditor asks for a transcript.
   * DANGER  Somebody watches, and nobody can ever tell.
   * EXPECT  Not a byte of it leaves.
   */
  test("is not shown when it can't be recorded that it is", async () => {
    const seen: string[] = [];
    const shell = shellWithTranscript({
      append: async (event) => {
        if (event.type === "review") throw new EndpointError("AuditUnavailable", "It could not be recorded.");
        seen.push(event.type);
      },
    });
    const answer = await shell.run(`transcript ${watched}`);
    expect(answer).toContain("AuditUnavailable: It could not be recorded.");
    expect(answer).not.toContain("piece");
    expect(seen).toContain("command-finished");
  });

  /*
   * ATTACK  A taken-over UI process asks for pieces of a transcript that nobody watches, for two at a time, behind the end, or goes
   *         on after the user had enough.
   * DANGER  It reads what its user was not shown, makes the server read files without end, or gets a piece that is not recorded.
   * EXPECT  Out of turn ends the process, the session gets a fresh screen.
   */
  test.each([
    ["without a transcript", "!fetch", "fetch out of turn"],
    ["enough of a transcript that isn't there", "!watched", "watched out of turn"],
  ])("asked for out of turn: %s", async (_, line, detail) => {
    const shell = shellWithTranscript();
    await shell.run("text");
    shell.type(`${line}\r`);
    await shell.sees("notice: The screen stopped and was started again.");
    expect(shell.lost).toMatchObject([{ cause: "breach", detail }]);
    expect(await shell.run("text")).toContain("second line");
  });

  test.each(["fetch twice", "fetch behind the end", "fetch after enough", "watch at once"])(
    "asked for out of turn: %s",
    async (plan) => {
      const shell = shellWithTranscript();
      await shell.run("text");
      shell.type(`!plan ${plan}\r`);
      shell.type(`transcript ${watched}\r`);
      await shell.sees("notice: The screen stopped and was started again.");
      expect(shell.lost).toMatchObject([{ cause: "breach" }]);
      expect(shell.events.at(-1)).toMatchObject({ type: "command-finished" });
      expect(await shell.run("text")).toContain("second line");
    },
  );

  test("that becomes shorter while it is shown ends with a word about it", async () => {
    const shell = shellWithTranscript();
    shell.type("!plan fetch at a key\r");
    shell.type(`transcript ${watched}\r`);
    await shell.sees(`${bytes}\r\n`);
    writeFileSync(join(shell.transcripts, `${watched}.cast`), "");
    shell.type("f");
    await shell.sees(/ResourceUnavailable: The transcript became shorter[^]*end 7 0/);
    expect(shell.lost).toEqual([]);
  });
});

/*
 * ATTACK  A session's id that is a path, or a link in the folder of transcripts.
 * DANGER  Any file of the server's account is shown: the master key, the log key.
 * EXPECT  Refused where the parameter is read, and once more where the file is opened.
 */
describe("a transcript's name", () => {
  test.each([
    "../log-key",
    "..\\log-key",
    "S-0000000000000000/../../log-key",
    "/etc/passwd",
    "S-000000000000000",
    "S-0000000000000000.cast",
    "S-000000000000000g",
    "S-0000000000000000\u0000",
    "*",
  ])("%s is none", async (name) => {
    const line = `Show-Transcript '${name}'`;
    await expect(runLine(line, createMemorySite([]))).rejects.toThrow(/session's id|character|NUL|control/i);
    expect(await transcriptPort(temporaryDirectory()).open(name)).toBeUndefined();
  });

  test("a link is not followed", async () => {
    const directory = join(temporaryDirectory(), "transcripts");
    mkdirSync(directory);
    const secret = join(directory, "..", "log-key");
    writeFileSync(secret, "secret");
    symlinkSync(secret, join(directory, `${watched}.cast`));
    expect(existsSync(join(directory, `${watched}.cast`))).toBe(true);
    expect(await transcriptPort(directory).open(watched)).toBeUndefined();
  });
});
