import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readCursor, writeCursor } from "../../server/audit-forwarding/cursor.ts";
import { Delivery } from "../../server/audit-forwarding/delivery.ts";
import { nameOfLog } from "../../server/audit-forwarding/log-name.ts";
import { StateRecord, type Found } from "../../server/audit-forwarding/state-record.ts";
import { prune } from "../../server/audit/prune.ts";
import { findSegments } from "../../server/audit/log-lines.ts";
import { LogReader } from "../../server/audit/log-reader.ts";
import { emptyRecord, openAt, smallRecord } from "../audit-review/record.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

test("what was sent counts for nothing, what was read is sent again after a loss, what settled is not", () => {
  const delivery = new Delivery(0, 1000);
  delivery.send(10);
  expect([delivery.confirmed, delivery.settled]).toEqual([0, 0]);
  delivery.confirm(5000);
  expect([delivery.confirmed, delivery.settled, delivery.settlesAtMs]).toEqual([10, 0, 6000]);
  delivery.send(20);
  delivery.confirm(5500);
  expect([delivery.confirmed, delivery.settled]).toEqual([20, 0]);
  delivery.confirm(6000);
  expect([delivery.confirmed, delivery.settled, delivery.settlesAtMs]).toEqual([20, 10, 6500]);
  delivery.send(30);
  delivery.lose();
  expect([delivery.sent, delivery.confirmed, delivery.settled, delivery.settlesAtMs]).toEqual([10, 10, 10, undefined]);
});

/** A receiver that keeps in memory what it reads and brings it to its disk later; a kill takes its memory. */
test("a receiver that stores within the time it is given loses nothing, whenever it is killed", () => {
  const step = fc.record({
    what: fc.constantFrom("send", "confirm", "kill", "wait"),
    amount: fc.integer({ min: 1, max: 400 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const settleMs = 1000;
      const delivery = new Delivery(0, settleMs);
      let now = 0;
      let stored = 0;
      let memory: { readonly seq: number; readonly readAtMs: number }[] = [];
      for (const { what, amount } of steps) {
        now += amount;
        // As late as is allowed: just before it would have been asked for a sign of life.
        stored = Math.max(stored, ...memory.filter(({ readAtMs }) => readAtMs + settleMs <= now).map(({ seq }) => seq));
        if (what === "send") {
          delivery.send(delivery.sent + amount);
          memory.push({ seq: delivery.sent, readAtMs: now });
        } else if (what === "confirm") {
          delivery.confirm(now);
        } else if (what === "kill") {
          memory = [];
          delivery.lose();
        }
        expect(delivery.settled).toBeLessThanOrEqual(stored);
      }
    }),
  );
});

test("the cursor is replaced at once, for its owner only, and a damaged one is not taken for a beginning", async () => {
  const path = join(temporaryDirectory(), "state", "syslog-cursor");
  expect(readCursor(path)).toBeUndefined();
  await writeCursor(path, { log: "pep-audit/1", seq: 7 });
  await writeCursor(path, { log: "pep-audit/1", seq: 8 });
  expect(readCursor(path)).toEqual({ log: "pep-audit/1", seq: 8 });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  for (const damage of ["", "{", '{"log":"x","seq":-1}', '{"log":"x","seq":1.5}', "null"]) {
    writeFileSync(path, damage);
    expect(() => readCursor(path), damage).toThrow("can't be read as a cursor");
  }
});

const readAll = async (reader: LogReader, throughSeq: number) => {
  const found: { seq: number; text: string }[] = [];
  for (;;) {
    const lines = await reader.read(throughSeq);
    if (lines.length === 0) return found;
    // The bytes are the reader's until the next read.
    found.push(...lines.map(({ seq, bytes }) => ({ seq, text: bytes.toString("utf8") })));
  }
};

test("the log is read from any event on, over its segments, up to what is durable and no further", async () => {
  const { dataDirectory } = await smallRecord();
  const directory = join(dataDirectory, "audit", "log");
  const segments = findSegments(directory);
  expect(segments.length).toBeGreaterThan(2);
  const whole = segments.flatMap(({ name }) => readFileSync(join(directory, name), "utf8").trimEnd().split("\n"));
  for (let from = 1; from <= whole.length; from += 1) {
    for (const through of [from - 1, from, whole.length]) {
      const reader = new LogReader(directory, from, "refused");
      const found = await readAll(reader, through);
      expect(found.map(({ text }) => text)).toEqual(whole.slice(from - 1, through));
      expect(found.map(({ seq }) => seq)).toEqual(found.map((_, index) => from + index));
      await reader.close();
    }
  }
});

test("the log is followed while it grows into new segments and over pruned ones", async () => {
  const made = emptyRecord();
  const directory = join(made.dataDirectory, "audit", "log");
  const record = await openAt(made, { segmentBytes: 600 });
  await record.append({ type: "server-stopped", reason: "0" });
  const name = nameOfLog(directory);
  const reader = new LogReader(directory, 1, "refused");
  for (let index = 1; index < 40; index += 1) {
    expect((await readAll(reader, record.lastSeq())).length).toBe(1);
    await record.append({ type: "server-stopped", reason: `${index} ${"x".repeat(50)}` });
  }
  await reader.close();
  await record.close();
  const [first, second, third] = findSegments(directory);
  if (first === undefined || second === undefined || third === undefined) throw new Error("too few segments");
  mkdirSync(join(made.dataDirectory, "audit", "transcripts"), { recursive: true });
  await prune(join(made.dataDirectory, "audit"), {
    segments: [first, second],
    transcripts: [],
    tornFiles: [],
  });
  expect(nameOfLog(directory)).toBe(name);
  const again = new LogReader(directory, 1, "refused");
  const [line] = await again.read(record.lastSeq());
  expect(line?.seq).toBe(third.firstSeq);
  await again.close();
});

test("a durable event that is not in the file is an error, not the end", async () => {
  const { dataDirectory } = await smallRecord();
  const reader = new LogReader(join(dataDirectory, "audit", "log"), 10, "refused");
  await expect(readAll(reader, 99)).rejects.toThrow(/event \d+ is not in/);
  await reader.close();
});

test("who only shows the log reads on behind lines that were taken away", async () => {
  const { dataDirectory } = await smallRecord();
  const directory = join(dataDirectory, "audit", "log");
  const [first, second] = findSegments(directory);
  if (first === undefined || second === undefined) throw new Error("too few segments");
  const lines = readFileSync(join(directory, first.name), "utf8").split("\n");
  writeFileSync(join(directory, first.name), `${lines[0]}\n`);
  const reader = new LogReader(directory, 1, "passed over");
  const found = await readAll(reader, 99);
  await reader.close();
  expect(found.slice(0, 2).map(({ seq }) => seq)).toEqual([1, second.firstSeq]);
  const behind = new LogReader(directory, second.firstSeq - 1, "passed over");
  expect((await readAll(behind, 99))[0]?.seq).toBe(second.firstSeq);
  await behind.close();
});

test("a receiver that comes and goes a thousand times leaves a handful of records, the last of them true", () => {
  let now = 0;
  const recorded: Found[] = [];
  const states = new StateRecord({
    uptimeMs: () => now,
    record: (found) => recorded.push(found),
    quietMs: { shortest: 1000, longest: 60_000 },
  });
  for (let index = 0; index < 1000; index += 1) {
    now += 50;
    states.see({ state: index % 2 === 0 ? "disconnected" : "connected" });
  }
  states.close();
  expect(recorded.length).toBeLessThan(10);
  expect(recorded[0]).toEqual({ state: "disconnected" });
});

test("a state is recorded once, at once the first time, and again only when it changed and the pause is over", async () => {
  const recorded: string[] = [];
  const states = new StateRecord({
    uptimeMs: () => performance.now(),
    record: ({ state, reason }) => recorded.push(`${state} ${reason ?? ""}`),
    quietMs: { shortest: 30, longest: 60 },
  });
  states.see({ state: "disconnected", reason: "a" });
  states.see({ state: "disconnected", reason: "b" });
  states.see({ state: "connected" });
  expect(recorded).toEqual(["disconnected a"]);
  await expect.poll(() => recorded).toEqual(["disconnected a", "connected "]);
  states.see({ state: "disconnected", reason: "c" });
  states.see({ state: "connected" });
  states.see({ state: "lagging", reason: "d" });
  await expect.poll(() => recorded).toEqual(["disconnected a", "connected ", "lagging d"]);
  states.close();
  states.see({ state: "connected" });
  expect(recorded).toHaveLength(3);
});
