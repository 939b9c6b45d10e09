import { expect, test } from "vitest";
import { recoveryKeyAt, startShell } from "./shell.ts";

const digitsOfKeys = /[0-9]{6}-[0-9]{6}/;

test("a screen opens with the user, the size and the commands they can see", async () => {
  const shell = startShell();
  await expect(shell.sees(/Welcome alice 80x24 keys,.*,exit pid \d+/)).resolves.toBeGreaterThan(0);
});

test("a key is shown to the user and masked in the transcript", async () => {
  const shell = startShell();
  const seen = await shell.run("keys 2");
  expect(seen).toContain(`PC-0 | ${recoveryKeyAt(0)}\r\n`);
  expect(seen).toContain(`PC-1 | ${recoveryKeyAt(1)}\r\n`);
  shell.type("\u0004");
  await expect(shell.result).resolves.toMatchObject({ exitStatus: 0, reason: "left", transcriptFile: "S-1.cast" });
  expect(shell.transcript()).toContain(`PC-0 | ${"•".repeat(55)}\r\n`);
  expect(shell.transcript()).not.toMatch(digitsOfKeys);
  expect(shell.markers()).toEqual(["disclosed ID-0 ID-1", "keys: exit status 0, 2 rows"]);
});

test("the transcript is the terminal's output with keys masked, and nothing else", async () => {
  const shell = startShell();
  await shell.run("keys 3");
  await shell.run("text");
  shell.type("\u0004");
  await shell.result;
  const masked = [0, 1, 2].reduce(
    (output, index) => output.replace(recoveryKeyAt(index), "•".repeat(55)),
    shell.output(),
  );
  expect(shell.transcript()).toBe(masked);
});

test("pages are disclosed one by one, and what the user does not page to is not disclosed", async () => {
  const shell = startShell({ terminal: { columns: 80, rows: 9, term: "xterm" } });
  await shell.sees("> ");
  shell.type("keys 40\r");
  await shell.sees("Show 40 recovery keys? [y/N]");
  shell.type("y\r");
  await shell.sees("--more--");
  const disclosed = (): number =>
    shell.events.reduce((sum, event) => sum + (event.type === "disclosure" ? event.keys.length : 0), 0);
  expect(disclosed()).toBe(5);
  shell.type(" ");
  await shell.sees(/PC-9 .*\r\n--more--/);
  expect(disclosed()).toBe(10);
  shell.type("q");
  await shell.sees("end 130 10");
  expect(disclosed()).toBe(10);
  expect(shell.output()).not.toContain("OperationStopped");
  expect(shell.events.at(-1)).toMatchObject({ type: "command-finished", outcome: "stopped", rows: 10 });
});

test("more keys than fit the screen are confirmed first; no means that nothing is shown", async () => {
  const shell = startShell();
  await shell.sees("> ");
  shell.type("keys 57\r");
  await shell.sees("Show 57 recovery keys? [y/N] ");
  shell.type("\r");
  await shell.sees("OperationStopped: Nothing was shown.");
  expect(shell.events.map(({ type }) => type)).not.toContain("disclosure");
});

test("a table that does not fit the terminal is sent as a list", async () => {
  const shell = startShell({ terminal: { columns: 40, rows: 24, term: "xterm" } });
  expect(await shell.run("keys 1")).toContain("list ComputerName,RecoveryKey");
});

test("JSON on a screen has the keys, and the transcript has none", async () => {
  const shell = startShell();
  expect(await shell.run("keys 2 json")).toContain(`"RecoveryKey":"${recoveryKeyAt(1)}"`);
  shell.type("\u0004");
  await shell.result;
  expect(shell.transcript()).toContain(`"RecoveryKey":"${"•".repeat(55)}"`);
});

test("Ctrl-C stops the command that runs and leaves the session", async () => {
  const shell = startShell();
  await shell.sees("> ");
  shell.type("slow\r");
  await expect.poll(() => shell.events.map(({ type }) => type)).toContain("command-started");
  shell.type("\u0003");
  await shell.sees("end 130 0");
  expect(await shell.run("text")).toContain("second line");
});

test("Ctrl-C reaches a command although the client reads nothing", async () => {
  const shell = startShell();
  await shell.sees("> ");
  shell.type("slow\r");
  await expect.poll(() => shell.events.map(({ type }) => type)).toContain("command-started");
  shell.stall();
  shell.changeCommands();
  shell.type("\u0003");
  await expect.poll(() => shell.events.at(-1)).toMatchObject({ type: "command-finished", outcome: "stopped" });
});

test("exit ends the session with status 0", async () => {
  const shell = startShell();
  await shell.run("exit");
  await expect(shell.result).resolves.toMatchObject({ exitStatus: 0 });
});

test("a refused line is answered, recorded without its text, and the session goes on", async () => {
  const shell = startShell();
  expect(await shell.run("nonsense word")).toContain("CommandNotFound: 'nonsense word' is not recognised.");
  expect(await shell.run("text")).toContain("end 0 0");
  shell.type("\u0004");
  await shell.result;
  expect(shell.markers()).toEqual(["refused line: exit status 127, 0 rows", "text: exit status 0, 0 rows"]);
});

test("a stream of window changes arrives coalesced, the newest last, and is in the transcript", async () => {
  const shell = startShell();
  await shell.sees("> ");
  for (let columns = 81; columns <= 180; columns += 1) shell.resize({ columns, rows: 30 });
  await shell.sees("size 180x30");
  expect(shell.output().match(/size \d+x30/g)).toEqual(["size 180x30"]);
});

test("the user's new rights reach the screen", async () => {
  const shell = startShell();
  await shell.sees("> ");
  shell.changeCommands();
  await expect(shell.sees("commands keys,")).resolves.toBeGreaterThan(0);
});

test("a recovery key typed or pasted at the prompt is in no transcript", async () => {
  const shell = startShell();
  await shell.sees("> ");
  const key = recoveryKeyAt(3);
  for (const character of `text ${key}`) shell.type(character);
  shell.type("\r");
  await shell.sees("end 0");
  await shell.run(`text ${key}`);
  shell.type("\u0004");
  await shell.result;
  expect(shell.transcript()).not.toContain(key.slice(0, 27));
  expect(shell.output()).not.toContain(key);
});

test("the input's end ends the session once its lines are answered", async () => {
  const shell = startShell();
  await shell.sees("> ");
  shell.type("brief\r");
  shell.endInput();
  await expect(shell.result).resolves.toMatchObject({ exitStatus: 0, reason: "input ended" });
  expect(shell.output()).toContain("brief is done");
});

test("2,383 keys at a time fit a screen, in pages, and released ones make room", async () => {
  const shell = startShell({ terminal: { columns: 80, rows: 1000, term: "xterm" } });
  await shell.sees("> ");
  for (const round of [1, 2, 3]) {
    const from = shell.output().length;
    shell.type("keys 990\r");
    await shell.sees(/end 0 990 /, from);
    expect(shell.output().slice(from), `round ${round}`).toContain(recoveryKeyAt(989));
  }
});

test("keys that were never released end in a plain refusal, not in wrong characters", async () => {
  const shell = startShell({ terminal: { columns: 80, rows: 1000, term: "xterm" } });
  await shell.sees("> ");
  shell.type("!plan keep\r");
  await shell.run("keys 990");
  await shell.run("keys 990");
  expect(await shell.run("keys 990")).toContain("LimitsExceeded: More than 2383 keys");
});
