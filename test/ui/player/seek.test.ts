import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Cursor, Keyframe } from "../../../ui/player/cursor.ts";
import { rounds } from "../../harness/share.ts";
import { castOf, cursorOn, type Event, sourceOf } from "./casts.ts";

const escape = "\u001b";
const style = fc.constantFrom(
  "0",
  "1",
  "2",
  "3",
  "4",
  "22",
  "24",
  "31",
  "39",
  "38;5;200",
  "38;2;1;2;3",
  "4:3",
  "58;5;9",
  "9",
);
const small = fc.integer({ min: 0, max: 30 });

/** What a transcript's output is made of, and what it should not have. */
const output = fc.oneof(
  fc.string({ maxLength: 30 }),
  fc.string({ unit: "grapheme", maxLength: 12 }),
  fc.constantFrom("\r\n", "\n", "\r", "\t", "\b", "日本語", "e\u0301", "\u0301", "👩‍💻", "x".repeat(90)),
  style.map((one) => `${escape}[${one}m`),
  fc.tuple(small, small).map(([row, column]) => `${escape}[${row};${column}H`),
  fc
    .tuple(small, fc.constantFrom("A", "B", "C", "D", "E", "F", "G", "J", "K", "X", "f", "d"))
    .map(([count, final]) => `${escape}[${count}${final}`),
  fc.constantFrom(`${escape}7`, `${escape}8`, `${escape}[s`, `${escape}[u`, `${escape}[?25l`, `${escape}[?25h`),
  // Not the painter's: none of it may matter.
  fc.constantFrom(
    `${escape}[2;5r`,
    `${escape}[?6h`,
    `${escape}[4h`,
    `${escape}[?1049h`,
    `${escape}(0`,
    `${escape}c`,
    `${escape}]0;t\u0007`,
  ),
  fc.constantFrom(escape, `${escape}[`, `${escape}[3`, "\u009b"),
);

const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.tuple(fc.integer({ min: 0, max: 3000 }), output).map(([ms, text]): Event => [ms / 1000, "o", text]),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 20 }))
      .map(([columns, rows]): Event => [0.5, "r", `${columns}x${rows}`]),
  },
  { weight: 1, arbitrary: fc.constant<Event>([0.1, "m", "verify-cert: exit status 0, 0 rows"]) },
);

/** Everything about a screen that anybody could see, now or later: what is on it, where its cursor is, how the next character looks. */
const seen = (cursor: Cursor): unknown => {
  const { lines, cursor: at } = cursor.emulator.view();
  return { lines, at, size: cursor.emulator.size, text: cursor.emulator.text() };
};

/** Plays to a time from wherever it stands. */
const playTo = (cursor: Cursor, timeMs: number): Promise<void> => cursor.play((one) => one.timeMs <= timeMs);

test("a seek to any time, by way of a keyframe at any time before it, shows what playing from the start shows", async () => {
  const cases = fc.record({
    events: fc.array(event, { minLength: 1, maxLength: 60 }),
    keyframe: fc.double({ min: 0, max: 1, noNaN: true }),
    target: fc.double({ min: 0, max: 1, noNaN: true }),
    pieceBytes: fc.integer({ min: 1, max: 400 }),
  });
  await fc.assert(
    fc.asyncProperty(cases, async ({ events, keyframe, target, pieceBytes }) => {
      const source = sourceOf(castOf(events, { columns: 30, rows: 8 }), pieceBytes);
      const totalMs = events.reduce((sum, [seconds]) => sum + seconds * 1000, 0);
      const [early, late] = [keyframe, target].map((part) => part * totalMs).sort((a, b) => a - b);
      const played = await cursorOn(source);
      await playTo(played, early ?? 0);
      const kept: Keyframe = played.keyframe();
      await playTo(played, late ?? 0);
      const sought = await cursorOn(source);
      // Something else was on the screen before.
      await playTo(sought, totalMs);
      sought.restore(kept);
      await playTo(sought, late ?? 0);
      expect(seen(sought)).toEqual(seen(played));
      // And nothing that shows only later was lost.
      await Promise.all([playTo(played, totalMs), playTo(sought, totalMs)]);
      expect(seen(sought)).toEqual(seen(played));
    }),
    { seed: 20_261_122, numRuns: rounds(150, 400) },
  );
}, 120_000);

test("the colour that was saved with the cursor comes back with it, over a keyframe", async () => {
  const source = sourceOf(
    castOf([
      [0, "o", `${escape}[31m${escape}7${escape}[0m plain`],
      [1, "o", `${escape}8red`],
    ]),
  );
  const cursor = await cursorOn(source);
  await playTo(cursor, 0);
  const kept = cursor.keyframe();
  const other = await cursorOn(source);
  other.restore(kept);
  await playTo(other, 1000);
  expect(other.emulator.view().lines[0]?.[0]).toEqual({ text: "red", tone: "error" });
});
