import { expect, test } from "vitest";
import { RecordBudget } from "../../server/audit/record-budget.ts";

const MiB = 1024 * 1024;
const alice = { connectedUser: "alice", keyFingerprint: "SHA256:a" };
const group = { connectedUser: "support", keyFingerprint: "SHA256:a" };
const bob = { connectedUser: "bob", keyFingerprint: "SHA256:b" };

const stage = () => {
  let nowMs = 0;
  const struck: string[] = [];
  const budget = new RecordBudget({ mebibytesPerHour: 2, nowMs: () => nowMs, onStruck: (user) => struck.push(user) });
  return { budget, struck, pass: (minutes: number) => (nowMs += minutes * 60_000) };
};

const never = new AbortController().signal;

test("what one person puts on the record is counted by user and by key", () => {
  const { budget, struck } = stage();
  budget.take(alice, MiB);
  expect(budget.usedUp(alice)).toBeUndefined();
  budget.take(group, MiB);
  expect(budget.usedUp(alice)?.message).toContain("2 MiB");
  expect(budget.usedUp(group)?.category).toBe("LimitsExceeded");
  expect(budget.usedUp(bob)).toBeUndefined();
  expect(struck).toEqual(["support"]);
});

test("running sessions of that person end, and of nobody else", () => {
  const { budget } = stage();
  const own = budget.signalFor(alice, never);
  const others = budget.signalFor(bob, never);
  budget.take(alice, 2 * MiB);
  expect(own.aborted).toBe(true);
  expect(others.aborted).toBe(false);
});

test("a session that was quiet for hours is ended as any other", () => {
  const { budget, pass } = stage();
  budget.take(alice, MiB);
  const own = budget.signalFor(alice, never);
  pass(180);
  budget.take(bob, 1); // forgets who has nothing on the record
  budget.take(alice, 2 * MiB);
  expect(own.aborted).toBe(true);
});

test("a session that is over is forgotten", () => {
  const { budget } = stage();
  const over = new AbortController();
  const own = budget.signalFor(alice, over.signal);
  over.abort();
  budget.take(alice, 2 * MiB);
  expect(own.aborted).toBe(false);
});

test("it is free again an hour later, when it says so, and strikes anew then", () => {
  const { budget, struck, pass } = stage();
  budget.take(alice, MiB);
  pass(10);
  budget.take(alice, MiB);
  expect(budget.usedUp(alice)?.message).toContain("Go on in 51 minutes.");
  pass(50);
  expect(budget.usedUp(alice)).toBeDefined();
  pass(1);
  expect(budget.usedUp(alice)).toBeUndefined();
  budget.take(alice, MiB);
  expect(struck).toEqual(["alice", "alice"]);
});

test("events count for who logged in on their connection, disclosures for nobody", () => {
  const { budget } = stage();
  const origin = { connectionId: "c", connectedUser: "alice" };
  budget.takeEvent(
    { type: "authentication", ...origin, outcome: "accepted", method: "k", keyFingerprint: "SHA256:a" },
    1,
  );
  budget.takeEvent(
    { type: "disclosure", ...origin, invocationId: "I", command: "c", how: "exec", keys: [] },
    100 * MiB,
  );
  expect(budget.usedUp(alice)).toBeUndefined();
  budget.takeEvent({ type: "session-started", ...origin, mode: "exec" }, 2 * MiB);
  expect(budget.usedUp(group)).toBeDefined();
  budget.takeEvent({ type: "connection-closed", ...origin }, 1);
  budget.takeEvent({ type: "server-stopped", reason: "r" }, 100 * MiB);
  expect(budget.usedUp(bob)).toBeUndefined();
});
