/*
 * ATTACK  Somebody else sits down at a terminal that was left alone, or something keeps it awake: a UI process that floods,
 *         keys typed or pasted into the lock in the hope that they run behind it, a Ctrl-C, a prompt that was left open.
 * DANGER  Recovery keys stay readable on an unattended screen and in its scrollback; a line typed blindly runs when the
 *         right person comes back.
 * EXPECT  Screen and scrollback are cleared, what was typed into the lock runs nowhere, and nothing but Enter opens it.
 */
import { expect, test } from "vitest";
import { recoveryKeyAt, startShell } from "../session/interactive/shell.ts";
import type { Shell } from "../session/interactive/shell.ts";

const question = "Press Enter to go on. ";
/** Screen, then scrollback. */
const cleared = "\u001b[H\u001b[2J\u001b[3J";
const longMs = 3_600_000;

/** A session that is locked after so long without a key. */
const startLocking = (
  idleLockMs: number,
  options: Parameters<typeof startShell>[0] = {},
): { readonly shell: Shell; readonly states: string[] } => {
  const states: string[] = [];
  const shell = startShell({
    ...options,
    dependencies: {
      idleLockMs,
      idleTimeoutMs: longMs,
      onLock: async (state) => void states.push(state),
      ...options.dependencies,
    },
  });
  return { shell, states };
};

test("keys are cleared from the screen, and a repaint after unlocking shows none", async () => {
  const { shell, states } = startLocking(3_000);
  await shell.sees("> ");
  shell.type("!plan keep\r");
  await shell.run("keys 1");
  expect(shell.output()).toContain(recoveryKeyAt(0));
  const locked = await shell.sees(question);
  expect(shell.output()).toContain(cleared);
  expect(states).toEqual(["locked"]);
  shell.type("\r");
  await shell.sees("resumed", locked);
  await expect.poll(() => states).toEqual(["locked", "unlocked"]);
  // The process still has the glyphs and paints them again.
  shell.type("!again\r");
  await shell.sees(/again •+ done/, locked);
  expect(shell.output().slice(locked)).not.toContain(recoveryKeyAt(0));
});

test("what is typed or pasted into the lock runs nowhere, before Enter and behind it", async () => {
  const { shell } = startLocking(2_000);
  await shell.sees("> ");
  const locked = await shell.sees(question);
  shell.type("keys 2");
  shell.type("\u0003");
  await expect.poll(() => shell.output().slice(locked)).toContain(question);
  shell.type("text one\u007f\u0015keys 3\rkeys 4\r");
  // The rest of the paste, in pieces, as a slow network brings it.
  for (let piece = 0; piece < 10; piece += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    shell.type("keys 5\r");
  }
  await shell.sees("resumed, spied []", locked);
  await shell.run("text");
  const commands = shell.events.flatMap((event) => (event.type === "command-started" ? [event.command] : []));
  expect(commands).toEqual(["text"]);
  expect(shell.events.filter(({ type }) => type === "command-refused")).toEqual([]);
});

test("a UI process that floods keeps nothing awake", async () => {
  const { shell, states } = startLocking(2_500);
  await shell.sees("> ");
  shell.type("!flood\r");
  await expect.poll(() => states, { timeout: 20_000 }).toEqual(["locked"]);
  await shell.sees(question);
});

test("a UI process that doesn't hand over the terminal is cleared away all the same", async () => {
  const { shell, states } = startLocking(2_000);
  await shell.sees("> ");
  shell.type("!plan ignore\r");
  await shell.sees(question);
  expect(states).toEqual(["locked"]);
});

test("a password prompt that was left open is given up, and its rest opens nothing but the lock", async () => {
  const { shell } = startLocking(2_000);
  await shell.sees("> ");
  shell.type("password\r");
  await shell.sees("Password for the file: ");
  shell.type("half a pass");
  const locked = await shell.sees(question);
  shell.type("word\r");
  await shell.sees("resumed", locked);
  expect(shell.passwordsGiven()).toBe(0);
  expect(shell.events).toContainEqual(expect.objectContaining({ command: "password", outcome: "stopped" }));
  expect(shell.events.filter(({ type }) => type === "command-refused")).toEqual([]);
});

test("nobody comes back: the session ends behind the lock, whatever is typed into it", async () => {
  const { shell, states } = startLocking(1_500, { dependencies: { idleTimeoutMs: 4_000 } });
  await shell.sees("> ");
  await shell.run("keys 1");
  const locked = await shell.sees(question);
  const typing = setInterval(() => shell.type("x"), 50);
  await expect(shell.result).resolves.toMatchObject({ exitStatus: 6, reason: "idle" });
  clearInterval(typing);
  expect(states).toEqual(["locked"]);
  expect(shell.output().slice(locked)).not.toContain(recoveryKeyAt(0));
});

test("plain lines are scrolled away, half a line is forgotten, and the session goes on", async () => {
  const { shell, states } = startLocking(1_000, { terminal: { columns: 80, rows: 24, term: "dumb" } });
  await shell.sees("> ");
  shell.type("keys 1\r");
  await shell.sees(/PC-0[^]*> $/);
  shell.type("half a li");
  await shell.sees("half a li");
  const locked = await shell.sees(question);
  expect(shell.output()).toContain("\r\n".repeat(100));
  shell.type("keys 2\r");
  await shell.sees("PS alice@demo> ", locked);
  shell.type("text\r");
  await shell.sees("second line", locked);
  expect(states.slice(0, 2)).toEqual(["locked", "unlocked"]);
  expect(shell.events.flatMap((event) => (event.type === "command-started" ? [event.command] : []))).toEqual([
    "keys",
    "text",
  ]);
});

test("a session without a terminal has nothing to lock", async () => {
  const { shell, states } = startLocking(300, { terminal: undefined, dependencies: { idleTimeoutMs: 1_500 } });
  await expect(shell.result).resolves.toMatchObject({ exitStatus: 6, reason: "idle" });
  expect(states).toEqual([]);
});
