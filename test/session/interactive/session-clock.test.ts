import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { afterRealTime, startSessionClock } from "../../../server/session/interactive/session-clock.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const minute = 60_000;

const stage = (
  options: { readonly idleLockMs?: number; readonly longestSessionMs?: number; readonly atLock?: "end" | "wait" } = {},
) => {
  const told: string[] = [];
  const clock = startSessionClock({
    after: afterRealTime,
    idleLockMs: 10 * minute,
    idleTimeoutMs: 15 * minute,
    longestSessionMs: 480 * minute,
    ...options,
    atIdleLock: () => options.atLock ?? "lock",
    warn: (text) => told.push(text),
    lock: () => told.push("LOCK"),
    expire: (reason) => told.push(`END ${reason}`),
  });
  return { clock, told, pass: (minutes: number) => vi.advanceTimersByTime(minutes * minute) };
};

test("warned, locked, warned, ended", () => {
  const { told, pass } = stage();
  pass(9);
  expect(told).toEqual(["The screen is cleared and locked in 60 seconds unless you type something."]);
  pass(1);
  expect(told.slice(1)).toEqual(["LOCK"]);
  pass(4);
  expect(told.slice(2)).toEqual(["This session ends in 60 seconds unless it is unlocked."]);
  pass(1);
  expect(told.slice(3)).toEqual(["END idle"]);
});

test("a key press before the lock starts the time anew; behind the lock only unlocking does", () => {
  const { clock, told, pass } = stage();
  pass(9.5);
  clock.input();
  pass(9.9);
  expect(told.filter((text) => text === "LOCK")).toEqual([]);
  pass(0.1);
  expect(told.at(-1)).toBe("LOCK");
  clock.input();
  pass(4.9);
  clock.unlocked();
  pass(9.9);
  expect(told).not.toContain("END idle");
  pass(0.1);
  expect(told.at(-1)).toBe("LOCK");
  pass(5);
  expect(told.at(-1)).toBe("END idle");
});

test("typing behind a lock keeps no session alive", () => {
  const { clock, told, pass } = stage();
  pass(10);
  for (let times = 0; times < 10; times += 1) {
    clock.input();
    pass(0.5);
  }
  expect(told.at(-1)).toBe("END idle");
});

test("the longest session is told ten minutes and one minute before, whatever is typed", () => {
  const { clock, told, pass } = stage({ longestSessionMs: 60 * minute });
  for (let minutes = 0; minutes < 60; minutes += 1) {
    clock.input();
    pass(1);
  }
  expect(told).toEqual([
    "This session ends in 10 minutes: it reaches its longest time.",
    "This session ends in 60 seconds: it reaches its longest time.",
    "END longest-session",
  ]);
});

test("what nothing could unlock is ended at the time of the lock, and told so before", () => {
  const { told, pass } = stage({ atLock: "end" });
  pass(9);
  expect(told).toEqual(["This session ends in 60 seconds unless you type something."]);
  pass(1);
  expect(told.slice(1)).toEqual(["END idle, no second factor"]);
});

test("before there is a screen nothing is locked, and it ends in the end", () => {
  const { told, pass } = stage({ atLock: "wait" });
  pass(13.9);
  expect(told).toEqual([]);
  pass(1.1);
  expect(told.at(-1)).toBe("END idle");
});

test("a stopped clock says nothing more", () => {
  const { clock, told, pass } = stage();
  clock.stop();
  clock.input();
  clock.unlocked();
  pass(600);
  expect(told).toEqual([]);
});
