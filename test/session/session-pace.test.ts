import { expect, test } from "vitest";
import { createSessionPace } from "../../server/session/session-pace.ts";

const alice = { connectedUser: "alice", keyFingerprint: "SHA256:a" };
const bob = { connectedUser: "bob", keyFingerprint: "SHA256:b" };

const stage = (perMinute: number) => {
  let nowMs = 0;
  const struck: string[] = [];
  const pace = createSessionPace(
    perMinute,
    () => nowMs,
    ({ connectedUser }) => struck.push(connectedUser),
  );
  return { pace, struck, pass: (ms: number) => (nowMs += ms) };
};

const never = new AbortController().signal;

test("the first sessions begin at once, the next wait, and nobody else does", async () => {
  const { pace, struck } = stage(600);
  for (let count = 0; count < 600; count += 1) expect(await pace.turn(alice, never)).toBe(true);
  expect(struck).toEqual([]);
  const waiting = pace.turn(alice, never);
  expect(struck).toEqual(["alice"]);
  expect(await pace.turn(bob, never)).toBe(true);
  expect(await waiting).toBe(true);
});

test("a session whose client goes never begins, and takes nobody's turn", async () => {
  const { pace, struck, pass } = stage(60);
  for (let count = 0; count < 60; count += 1) await pace.turn(alice, never);
  for (let count = 0; count < 1_000; count += 1) expect(await pace.turn(alice, AbortSignal.abort())).toBe(false);
  expect(struck).toEqual(["alice"]);
  pass(1_000);
  expect(await pace.turn(alice, AbortSignal.abort())).toBe(true);
});
