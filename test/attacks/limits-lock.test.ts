/*
 * ATTACK  Somebody else sits down at a terminal that was left alone, or something keeps it awake: Enter, a wrong or a used code, a UI
 *         process that floods or runs on, keys typed or pasted into the lock or ahead of it, a Ctrl-C, a prompt that was left open.
 * DANGER  Recovery keys stay readable on an unattended screen and in its scrollback; the session is taken over; a line typed
 *         blindly runs behind the lock, or when the right person comes back.
 * EXPECT  Screen and scrollback are cleared, nothing runs behind the lock, notices wait, and nothing but a code of the user's second
 *         factor opens it. Who has none has no lock: the session ends, its screen cleared.
 */
import { expect, test, vi } from "vitest";
import { manualTime, type ManualTime } from "../harness/manual-time.ts";
import { stageLock, type StagedLock } from "../harness/session-lock.ts";
import { recoveryKeyAt, startShell } from "../session/interactive/shell.ts";
import type { Shell } from "../session/interactive/shell.ts";

const question = "nothing was typed for long. Code: ";
/** Screen, then scrollback. */
const cleared = "\u001b[H\u001b[2J\u001b[3J";
const longMs = 2 ** 31;
const dumb = { terminal: { columns: 80, rows: 24, term: "dumb" } } as const;

/** Of the sessions here; time passes when a test says so. */
const idleLockMs = 600_000;

type Locking = StagedLock & {
  readonly shell: Shell;
  readonly notice: (text: string) => void;
  readonly time: ManualTime;
  /** Nobody types until the session is locked. @returns where the output behind the question begins */
  readonly locks: (from?: number) => Promise<number>;
};

/** A session that is locked after a time without a key. */
const startLocking = async (options: Parameters<typeof startShell>[0] = {}, staged?: StagedLock): Promise<Locking> => {
  const locking = staged ?? (await stageLock());
  const time = manualTime();
  let notice: (text: string) => void = () => undefined;
  const shell = startShell({
    ...options,
    dependencies: {
      after: time.after,
      idleLockMs,
      idleTimeoutMs: longMs,
      longestSessionMs: longMs,
      lock: locking.lock,
      onNotice: (listener) => {
        notice = listener;
        return () => undefined;
      },
      ...options.dependencies,
    },
  });
  const locks = async (from = 0): Promise<number> => {
    // Again and again: what was typed, or unlocked, may not have come as far as the clock.
    await vi.waitFor(
      () => {
        time.pass(idleLockMs);
        expect(shell.output().slice(from)).toContain(question);
      },
      { timeout: 15_000, interval: 50 },
    );
    return shell.sees(question, from);
  };
  return { ...locking, shell, notice: (text) => notice(text), time, locks };
};

const started = ({ events }: Shell): string[] =>
  events.flatMap((event) => (event.type === "command-started" ? [event.command] : []));

test("keys are cleared from the screen, and a repaint after unlocking shows none", async () => {
  const { shell, states, code, locks } = await startLocking();
  await shell.sees("> ");
  shell.type("!plan keep\r");
  await shell.run("keys 1");
  expect(shell.output()).toContain(recoveryKeyAt(0));
  const locked = await locks();
  expect(shell.output()).toContain(cleared);
  expect(states).toEqual(["locked"]);
  const typed = code();
  shell.type(`${typed}\r`);
  await shell.sees("resumed", locked);
  await expect.poll(() => states).toEqual(["locked", "unlocked"]);
  // The process still has the glyphs and paints them again.
  shell.type("!again\r");
  await shell.sees(/again •+ done/, locked);
  expect(shell.output().slice(locked)).not.toContain(recoveryKeyAt(0));
  expect(`${shell.output()}${shell.transcript()}`).not.toContain(typed);
});

test.each([{}, dumb])("Enter, Ctrl-C and a resize open nothing, and count as no code (%o)", async (options) => {
  const { shell, states, code, locks } = await startLocking(options);
  await shell.sees("> ");
  let from = await locks();
  for (const keys of ["\r", "\u0003", "  \r", "\u001b[A\r", "\u001b[200~\r\u001b[201~", "\u0003\r"]) {
    shell.type(keys);
    from = await shell.sees(question, from);
  }
  shell.resize({ columns: 100, rows: 50 });
  shell.type("\r");
  from = await shell.sees(question, from);
  expect(states).toEqual(["locked"]);
  shell.type(`${code()}\r`);
  await expect.poll(() => states).toEqual(["locked", "unlocked"]);
});

test.each([{}, dumb])(
  "a wrong code and a used one are refused on the record, the third ends it (%o)",
  async (options) => {
    const { shell, states, code, wrongCode, locks } = await startLocking(options);
    await shell.sees("> ");
    let from = await locks();
    const good = code();
    shell.type(`${good}\r`);
    await expect.poll(() => states).toEqual(["locked", "unlocked"]);
    from = await locks(from);
    shell.type(`${good}\r`);
    from = await shell.sees("That code was used already.", from);
    from = await shell.sees(question, from);
    shell.type(`${wrongCode}\r`);
    from = await shell.sees("That code is wrong", from);
    from = await shell.sees(question, from);
    shell.type("let me in\r");
    await expect(shell.result).resolves.toMatchObject({ exitStatus: 5, reason: "too many wrong codes" });
    expect(states.slice(2)).toEqual(["locked", "the code was used before", "the code is wrong", "the code is wrong"]);
    // Nothing was given back to the screen on the way out.
    expect(shell.output().slice(from)).not.toMatch(/resumed|PS alice|> /);
    expect(shell.output().slice(from)).toContain("Three codes were refused, so the session was ended.");
  },
);

test("the wait after wrong codes holds for the party, in each of its sessions and at a log-in", async () => {
  const staged = await stageLock();
  const { stage, wrongCode, code } = staged;
  for (let wrong = 0; wrong < 3; wrong += 1) {
    await stage.secondFactor.judge({ connectedUser: "bob", keyFingerprint: "SHA256:x", answer: "000000" });
    await stage.secondFactor.judge({ connectedUser: "alice", keyFingerprint: "SHA256:x", answer: wrongCode });
  }
  const { shell, states, locks } = await startLocking({}, staged);
  await shell.sees("> ");
  const locked = await locks();
  const good = code();
  shell.type(`${good}\r`);
  const refused = await shell.sees(/Too many wrong codes\. Try again in \d+ seconds\./, locked);
  await shell.sees(question, refused);
  expect(states).toEqual(["locked", "too many wrong codes"]);
  expect(stage.secondFactor.waitMs({ connectedUser: "alice", keyFingerprint: "SHA256:x" })).toBeGreaterThan(0);
  // It was not looked at, so it is not used up.
  stage.now.at += 60 * 60_000;
  shell.type(`${code()}\r`);
  await shell.sees("resumed", locked);
});

test("a recovery code opens it once, and how many are left is told", async () => {
  const { shell, states, recoveryCodes, locks } = await startLocking();
  const [spare = ""] = recoveryCodes;
  await shell.sees("> ");
  let from = await locks();
  shell.type(`${spare}\r`);
  from = await shell.sees(/A recovery code was used\. \d left\./, from);
  from = await locks(from);
  shell.type(`${spare}\r`);
  await shell.sees("That recovery code was used already.", from);
  expect(states).toEqual(["locked", "unlocked", "locked", "the recovery code was used before"]);
});

test("a session whose user has no second factor is not locked: it ends, and its keys leave the screen", async () => {
  const time = manualTime();
  const shell = startShell({
    dependencies: { after: time.after, idleLockMs, idleTimeoutMs: longMs, longestSessionMs: longMs },
  });
  await shell.sees("> ");
  await shell.run("keys 1");
  time.pass(idleLockMs - 1);
  await shell.sees("This session ends in 60 seconds unless");
  time.pass(1);
  await expect(shell.result).resolves.toMatchObject({ exitStatus: 6, reason: "idle, no second factor" });
  expect(shell.output()).not.toContain("cleared and locked");
  const afterwards = shell.output().slice(shell.output().lastIndexOf(cleared));
  expect(afterwards).toContain("The session was ended: nothing was typed for too long.");
  expect(afterwards).not.toContain(recoveryKeyAt(0));
});

test("the same in plain lines, however tall the terminal", async () => {
  const time = manualTime();
  const shell = startShell({
    terminal: { columns: 80, rows: 240, term: "dumb" },
    dependencies: { after: time.after, idleLockMs, idleTimeoutMs: longMs, longestSessionMs: longMs },
  });
  await shell.sees("> ");
  shell.type("keys 1\r");
  await shell.sees(recoveryKeyAt(0));
  time.pass(idleLockMs);
  await expect(shell.result).resolves.toMatchObject({ exitStatus: 6, reason: "idle, no second factor" });
  const end = shell.output().lastIndexOf(recoveryKeyAt(0));
  expect(end).toBeGreaterThan(0);
  expect(shell.output().slice(end)).toContain("\r\n".repeat(240));
});

test("what is typed or pasted into the lock runs nowhere, before the code and behind it", async () => {
  const { shell, code, locks } = await startLocking();
  await shell.sees("> ");
  const locked = await locks();
  shell.type("keys 2");
  shell.type("\u0003");
  await expect.poll(() => shell.output().slice(locked)).toContain(question);
  shell.type(`text one\u007f\u0015${code()}\rkeys 4\r`);
  // The rest of the paste, in pieces, as a slow network brings it.
  for (let piece = 0; piece < 10; piece += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    shell.type("keys 5\r");
  }
  await shell.sees("resumed, spied []", locked);
  await shell.run("text");
  expect(started(shell)).toEqual(["text"]);
  expect(shell.events.filter(({ type }) => type === "command-refused")).toEqual([]);
});

test("of many lines in one paste only the first is judged", async () => {
  const { shell, states, wrongCode, locks } = await startLocking(dumb);
  await shell.sees("> ");
  const locked = await locks();
  shell.type(`${wrongCode}\r`.repeat(20));
  const refused = await shell.sees("That code is wrong", locked);
  await shell.sees(question, refused);
  expect(states).toEqual(["locked", "the code is wrong"]);
});

test("lines typed ahead of the lock don't run behind it in plain lines, nor open it", async () => {
  const { shell, states, code, locks } = await startLocking(dumb);
  await shell.sees("> ");
  const ahead = code();
  shell.type(`slow\r`);
  await expect.poll(() => started(shell)).toEqual(["slow"]);
  shell.type(`text one\r\r${ahead}\rkeys 1\r`);
  const locked = await locks();
  shell.type("\r");
  await shell.sees(question, locked);
  expect(shell.output().slice(locked)).not.toContain("PS alice@demo>");
  expect(started(shell)).toEqual(["slow"]);
  expect(states).toEqual(["locked"]);
  shell.type(`${code()}\r`);
  await shell.sees("PS alice@demo> ", locked);
  shell.type("text\r");
  await shell.sees("second line", locked);
  expect(started(shell)).toEqual(["slow", "text"]);
});

test("a line that the UI process sends behind the lock waits until it is opened", async () => {
  const { shell, code, locks } = await startLocking();
  const begun = await shell.sees("> ");
  shell.type("!plan line\r");
  await shell.sees("> ", begun); // it has been told
  const locked = await locks();
  shell.type("\r");
  await shell.sees(question, locked);
  expect(started(shell)).toEqual([]);
  shell.type(`${code()}\r`);
  await shell.sees("second line", locked);
  expect(started(shell)).toEqual(["text"]);
});

test.each([{}, dumb])("notices wait behind the lock, and are told when it is opened (%o)", async (options) => {
  const { shell, code, notice, locks } = await startLocking(options);
  await shell.sees("> ");
  const locked = await locks();
  for (let number = 1; number <= 22; number += 1) notice(`request ${number} of bob waits for you.`);
  shell.type("\r");
  const asked = await shell.sees(question, locked);
  expect(shell.output().slice(locked, asked)).not.toContain("waits for you");
  shell.type(`${code()}\r`);
  await shell.sees("request 22 of bob waits for you.", asked);
  expect(shell.output()).toContain("2 older notices came while the screen was locked, and are left out.");
  expect(shell.output()).not.toContain("request 2 of bob");
  notice("request 23 of bob waits for you.");
  await shell.sees("request 23 of bob waits for you.", asked);
});

test("a UI process that floods keeps nothing awake", async () => {
  const { shell, states, time } = await startLocking();
  await shell.sees("> ");
  shell.type("!flood\r");
  const passing = (): string[] => {
    time.pass(idleLockMs / 20);
    return states;
  };
  await expect.poll(passing, { timeout: 20_000 }).toEqual(["locked"]);
  await shell.sees(question);
});

test("a UI process that doesn't hand over the terminal is cleared away all the same", async () => {
  const { shell, states, locks } = await startLocking();
  const begun = await shell.sees("> ");
  shell.type("!plan ignore\r");
  await shell.sees("> ", begun);
  await locks();
  expect(states).toEqual(["locked"]);
});

test("a password prompt that was left open is given up, and its rest opens nothing", async () => {
  const { shell, states, code, locks } = await startLocking();
  await shell.sees("> ");
  shell.type("password\r");
  await shell.sees("Password for the file: ");
  shell.type("half a pass");
  const locked = await locks();
  shell.type("word\r");
  const refused = await shell.sees(question, locked);
  shell.type(`${code()}\r`);
  await shell.sees("resumed", refused);
  expect(states).toEqual(["locked", "the code is wrong", "unlocked"]);
  expect(shell.passwordsGiven()).toBe(0);
  expect(shell.events).toContainEqual(expect.objectContaining({ command: "password", outcome: "stopped" }));
  expect(shell.events.filter(({ type }) => type === "command-refused")).toEqual([]);
});

test("Ctrl-D ends it without a look at what stood there", async () => {
  const { shell, states, locks } = await startLocking();
  await shell.sees("> ");
  shell.type("!plan keep\r");
  await shell.run("keys 1");
  const locked = await locks();
  shell.type("\u0004");
  await expect(shell.result).resolves.toMatchObject({ exitStatus: 0, reason: "left" });
  expect(states).toEqual(["locked"]);
  expect(shell.output().slice(locked)).not.toMatch(/resumed|PC-0|> /);
});

test("a lock that can't be recorded is none: the session ends, and shows nothing more", async () => {
  const staged = await stageLock();
  const { EndpointError } = await import("../../server/errors.ts");
  const { shell, time } = await startLocking(
    {},
    {
      ...staged,
      lock: { ...staged.lock, locked: () => Promise.reject(new EndpointError("AuditUnavailable", "full")) },
    },
  );
  await shell.sees("> ");
  time.pass(idleLockMs);
  await expect(shell.result).resolves.toMatchObject({ exitStatus: 254 });
  const from = shell.output().lastIndexOf(cleared);
  expect(from).toBeGreaterThan(0);
  expect(shell.output().slice(from)).not.toContain("resumed");
});

test("nobody comes back: the session ends behind the lock, whatever is typed into it", async () => {
  const { shell, states, time, locks } = await startLocking({ dependencies: { idleTimeoutMs: 3 * idleLockMs } });
  await shell.sees("> ");
  await shell.run("keys 1");
  const locked = await locks();
  const typing = setInterval(() => {
    shell.type("x");
    time.pass(idleLockMs / 20);
  }, 50);
  await expect(shell.result).resolves.toMatchObject({ exitStatus: 6, reason: "idle" });
  clearInterval(typing);
  expect(states).toEqual(["locked"]);
  expect(shell.output().slice(locked)).not.toContain(recoveryKeyAt(0));
});

test("plain lines are scrolled away, half a line is forgotten, and the session goes on", async () => {
  const { shell, states, code, locks } = await startLocking(dumb);
  await shell.sees("> ");
  shell.type("keys 1\r");
  await shell.sees(/PC-0[^]*> $/);
  shell.type("half a li");
  await shell.sees("half a li");
  const locked = await locks();
  expect(shell.output()).toContain("\r\n".repeat(100));
  shell.type(`${code()}\rkeys 2\r`);
  await shell.sees("PS alice@demo> ", locked);
  shell.type("text\r");
  await shell.sees("second line", locked);
  expect(states.slice(0, 2)).toEqual(["locked", "unlocked"]);
  expect(started(shell)).toEqual(["keys", "text"]);
});

test("a session without a terminal has nothing to lock", async () => {
  const idleTimeoutMs = 2 * idleLockMs;
  const { shell, states, time } = await startLocking({ terminal: undefined, dependencies: { idleTimeoutMs } });
  await expect.poll(() => shell.errors(), { timeout: 15_000 }).toContain("> ");
  time.pass(idleTimeoutMs);
  await expect(shell.result).resolves.toMatchObject({ exitStatus: 6, reason: "idle" });
  expect(states).toEqual([]);
});
