import { expect, test } from "vitest";
import { DisclosureCounts } from "../../server/session/disclosure-counts.ts";
import type { ShownKey } from "../../server/session/disclosure-counts.ts";

const begin = Date.parse("2026-11-22T08:00:00.000Z");
const limit = { most: 5, roleCapability: "operator" };
const ids = (from: number, count: number): string[] => Array.from({ length: count }, (_, index) => `K-${from + index}`);

const support = { connectedUser: "support", keyFingerprint: "SHA256:support" };
const exporter = { connectedUser: "exporter", keyFingerprint: "SHA256:exporter" };

const stage = (earlier: readonly ShownKey[] = []) => {
  let nowMs = begin;
  const counts = new DisclosureCounts(() => new Date(nowMs), earlier);
  return {
    counts,
    pass: (minutes: number): void => {
      nowMs += minutes * 60_000;
    },
  };
};

test("the limit counts different keys, over many batches", () => {
  const { counts } = stage();
  counts.reserve(support, ids(1, 3), limit);
  counts.reserve(support, ids(1, 3), limit);
  counts.reserve(support, ids(4, 2), limit);
  expect(() => counts.reserve(support, ids(6, 1), limit)).toThrow(
    "You were shown 5 different recovery keys within the last hour, and your role operator allows 5 different recovery keys an hour (disclosuresPerHour). This can be shown from 2026-11-22T09:00:00.000Z on.",
  );
  // What was shown already may be shown again, and another user has an hour of their own.
  counts.reserve(support, ids(1, 5), limit);
  counts.reserve(exporter, ids(6, 5), limit);
});

test("a batch that is too large by itself is told so, and nothing of it counts", () => {
  const { counts } = stage();
  expect(() => counts.reserve(support, ids(1, 6), limit)).toThrow("This would show 6 different recovery keys at once");
  counts.reserve(support, ids(10, 5), limit);
});

test("the hour slides: it frees as many keys as an hour ago were shown, and says when", () => {
  const { counts, pass } = stage();
  counts.reserve(support, ids(1, 2), limit);
  pass(30);
  counts.reserve(support, ids(3, 3), limit);
  pass(29);
  expect(() => counts.reserve(support, ids(6, 2), limit)).toThrow("from 2026-11-22T09:00:00.000Z on");
  expect(() => counts.reserve(support, ids(6, 3), limit)).toThrow("from 2026-11-22T09:30:00.000Z on");
  pass(1);
  counts.reserve(support, ids(6, 2), limit);
  expect(() => counts.reserve(support, ids(8, 1), limit)).toThrow("from 2026-11-22T09:30:00.000Z on");
});

test("a key that is shown again counts from then on", () => {
  const { counts, pass } = stage();
  counts.reserve(support, ids(1, 5), limit);
  pass(40);
  counts.reserve(support, ids(1, 5), limit);
  pass(40);
  expect(() => counts.reserve(support, ids(6, 1), limit)).toThrow("from 2026-11-22T09:40:00.000Z on");
});

test("a batch that could not be recorded is taken back", () => {
  const { counts } = stage();
  counts.reserve(support, ids(1, 2), limit);
  counts.reserve(support, ids(1, 5), limit)();
  counts.reserve(support, ids(10, 3), limit);
  expect(() => counts.reserve(support, ids(20, 1), limit)).toThrow("You were shown 5 different recovery keys");
});

test("what was shown before the start counts, unless it is older than an hour", () => {
  const at = (minutesAgo: number): Date => new Date(begin - minutesAgo * 60_000);
  const { counts, pass } = stage([
    { party: support, keyId: "K-0", at: at(61) },
    ...ids(1, 4).map((keyId) => ({ party: support, keyId, at: at(10) })),
    // The clock was an hour ahead when this was written.
    { party: support, keyId: "K-9", at: at(-60) },
  ]);
  expect(() => counts.reserve(support, ["K-0"], limit)).toThrow("You were shown 5 different recovery keys");
  pass(50);
  counts.reserve(support, ["K-0"], limit);
  pass(10);
  counts.reserve(support, ids(20, 4), limit);
});

test("without a limit nothing is refused, and an endless export is not remembered whole", () => {
  const { counts } = stage();
  for (let batch = 0; batch < 30; batch += 1) counts.reserve(exporter, ids(batch * 1000, 1000), undefined);
  expect(() => counts.reserve(exporter, ["another"], { most: 10_000, roleCapability: "exporter" })).toThrow(
    /You were shown [12]\d{4} different recovery keys/,
  );
});
