import { describe, expect, test } from "vitest";
import { recoveryKeyAt, startShell } from "./shell.ts";

const dumb = { columns: 100, rows: 24, term: "dumb" };
const prompt = "PS alice@demo> ";

describe("with TERM=dumb", () => {
  test("keys are a plain table, masked in the transcript, and no escape sequence is sent", async () => {
    const shell = startShell({ terminal: dumb });
    await shell.sees(prompt);
    shell.type("keys 2\r");
    await shell.sees(recoveryKeyAt(1));
    await shell.sees(/PC-1 [^]*alice@demo> /);
    shell.type("\u0004");
    await expect(shell.result).resolves.toMatchObject({ exitStatus: 0, reason: "left" });
    expect(shell.output()).toContain("ComputerName  RecoveryKey\r\n");
    expect(shell.output()).not.toContain("\u001b");
    expect(shell.transcript()).toContain(`PC-0          ${"•".repeat(55)}`);
    expect(shell.transcript()).not.toMatch(/[0-9]{6}-/);
    expect(shell.markers()).toEqual(["disclosed ID-0 ID-1", "keys: exit status 0, 2 rows"]);
    expect(shell.pool.processIds()).toEqual([]);
  });

  test("typing is echoed, edited, and ^C at the prompt starts a new line", async () => {
    const shell = startShell({ terminal: dumb });
    await shell.sees(prompt);
    shell.type("texx\u007ft\u0003");
    await shell.sees(`${prompt}texx\b \bt^C\r\n${prompt}`);
    shell.type("text\r");
    await expect(shell.sees("plain\r\nsecond line\r\n")).resolves.toBeGreaterThan(0);
  });

  test("Ctrl-C stops the command that runs", async () => {
    const shell = startShell({ terminal: dumb });
    await shell.sees(prompt);
    shell.type("slow\r");
    await expect.poll(() => shell.events.map(({ type }) => type)).toContain("command-started");
    shell.type("\u0003");
    await shell.sees(`OperationStopped: Stopped.\r\n${prompt}`);
  });

  test("a password is asked on the trusted path, with the mark and without echo", async () => {
    const shell = startShell({ terminal: dumb });
    await shell.sees(prompt);
    shell.type("password\r");
    const from = await shell.sees("◆ demo asks: Password for the file: ");
    shell.type("1234567890123456789012345\r");
    await shell.sees("got a secret", from);
    expect(shell.output().slice(from)).not.toContain("1234");
    shell.type("\u0004");
    await shell.result;
    expect(shell.transcript()).not.toContain("1234");
  });

  test("a recovery key typed at the prompt is echoed masked, and in no transcript", async () => {
    const shell = startShell({ terminal: dumb });
    await shell.sees(prompt);
    for (const character of `text ${recoveryKeyAt(5)}`) shell.type(character);
    shell.type("\r");
    await shell.sees("second line");
    shell.type("\u0004");
    await shell.result;
    expect(shell.output()).not.toContain(recoveryKeyAt(5).slice(0, 27));
    expect(shell.transcript()).not.toContain(recoveryKeyAt(5).slice(0, 27));
  });

  test("many keys are confirmed first, and more than there are glyphs are shown whole", async () => {
    const shell = startShell({ terminal: dumb });
    await shell.sees(prompt);
    shell.type("keys 5000\r");
    const from = await shell.sees("◆ demo asks: Show 5000 recovery keys? [y/N] ");
    shell.type("y\r");
    await shell.sees(recoveryKeyAt(4999), from);
    const shown = shell.output().match(/[0-9]{6}(?:-[0-9]{6}){7}/g);
    expect(shown).toEqual(Array.from({ length: 5000 }, (_, index) => recoveryKeyAt(index)));
    shell.type("\u0004");
    await shell.result;
    expect(shell.transcript()).not.toMatch(/[0-9]{6}-/);
  });

  test("exit ends the session with status 0", async () => {
    const shell = startShell({ terminal: dumb });
    await shell.sees(prompt);
    shell.type("exit\r");
    await expect(shell.result).resolves.toMatchObject({ exitStatus: 0, reason: "exit" });
  });
});

describe("without a terminal", () => {
  test("a file of lines is answered line by line, and its end is the session's", async () => {
    const shell = startShell({ terminal: undefined });
    shell.type("text\nkeys 1\nnonsense\n");
    shell.endInput();
    await expect(shell.result).resolves.toMatchObject({ exitStatus: 127, reason: "left" });
    expect(shell.output()).toMatch(/^plain\nsecond line\n/);
    expect(shell.output()).toContain(recoveryKeyAt(0));
    expect(shell.errors()).toContain("CommandNotFound: 'nonsense' is not recognised.\n");
    expect(shell.output() + shell.errors()).not.toContain("\u001b");
    expect(shell.transcript()).toContain("CommandNotFound");
    expect(shell.transcript()).not.toMatch(/[0-9]{6}-/);
  });

  test("a password is the next line of the file, after a word about who shows it", async () => {
    const shell = startShell({ terminal: undefined });
    shell.type("password\nhunter2\ntext\n");
    shell.endInput();
    await shell.result;
    expect(shell.errors()).toContain("your own may show what you type");
    expect(shell.output()).toBe("got a secret\nplain\nsecond line\n");
    expect(`${shell.output()}${shell.errors()}${shell.transcript()}`).not.toContain("hunter2");
  });

  test("a client that floods lines is read no faster than they are answered", async () => {
    const shell = startShell({ terminal: undefined });
    await expect.poll(() => shell.errors()).toContain(prompt);
    shell.type("slow\n");
    for (let count = 0; count < 100; count += 1) shell.type(`${"x".repeat(10_000)}\n`);
    await expect.poll(() => shell.events.map(({ type }) => type)).toContain("command-started");
    shell.close();
    await expect(shell.result).resolves.toMatchObject({ exitStatus: 130 });
    expect(shell.events.map(({ type }) => type)).not.toContain("command-refused");
  });
});
