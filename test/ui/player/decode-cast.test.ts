import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type CastEvent, castStart, decodeCast } from "../../../ui/player/decode-cast.ts";
import { rounds } from "../../harness/share.ts";
import { castOf, type Event } from "./casts.ts";

interface Read {
  readonly events: readonly CastEvent[];
  readonly malformed: number;
}

/** Decodes a file in pieces, as a cursor does. */
const decodeAll = (file: string | Uint8Array, pieceBytes = 1 << 20): Read => {
  const bytes = typeof file === "string" ? new TextEncoder().encode(file) : file;
  const events: CastEvent[] = [];
  let place = castStart;
  let malformed = 0;
  for (let length = pieceBytes; place.at < bytes.length;) {
    const end = Math.min(bytes.length, place.at + length);
    const decoded = decodeCast(bytes.subarray(place.at, end), place, end === bytes.length);
    const isStuck = decoded.next.at === place.at && decoded.next.inside === place.inside;
    events.push(...decoded.events);
    malformed += decoded.malformed;
    place = decoded.next;
    if (isStuck && end === bytes.length) break;
    length = isStuck ? length + pieceBytes : pieceBytes;
  }
  return { events, malformed };
};

/** Output of one time put together: where it was cut makes no difference. */
const gist = ({ events }: Read): unknown[] => {
  const gists: { kind: string; timeMs: number; text: string }[] = [];
  for (const event of events) {
    const text = event.kind === "output" ? event.text : event.kind === "marker" ? event.label : "";
    const last = gists.at(-1);
    if (event.kind === "output" && last?.kind === "output" && last.timeMs === event.timeMs) last.text += text;
    else gists.push({ kind: event.kind, timeMs: event.timeMs, text });
  }
  return gists;
};

const anyEvent: fc.Arbitrary<Event> = fc.tuple(
  fc.integer({ min: 0, max: 100_000 }).map((ms) => ms / 1000),
  fc.constantFrom("o", "o", "o", "m", "x"),
  fc.oneof(fc.string({ unit: "binary", maxLength: 60 }), fc.string({ unit: "grapheme", maxLength: 40 })),
);

test("where the pieces of a file are cut makes no difference", () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 30 }), fc.integer({ min: 1, max: 200 }), (events, pieceBytes) => {
      const file = castOf(events);
      const whole = decodeAll(file);
      expect(whole.malformed).toBe(0);
      expect(gist(decodeAll(file, pieceBytes))).toEqual(gist(whole));
      const output = whole.events.flatMap((event) => (event.kind === "output" ? [event.text] : [])).join("");
      expect(output).toBe(events.flatMap(([, code, text]) => (code === "o" ? [text] : [])).join(""));
    }),
    { seed: 4, numRuns: rounds(200, 500) },
  );
});

test("times are sums of the file's intervals", () => {
  const { events } = decodeAll(
    castOf([
      [0.1, "o", "a"],
      [0.2, "m", "b"],
      [1_000_000, "x", "0"],
    ]),
  );
  expect(events.map(({ kind, timeMs }) => [kind, timeMs])).toEqual([
    ["header", 0],
    ["output", 100],
    ["output", 100],
    ["marker", 300],
    ["exit", 1_000_000_300],
  ]);
});

test.each([
  ["no JSON", "{"],
  ["no event", '{"a":1}'],
  ["an event of two", '[0.1, "o"]'],
  ["a time that is a text", '["0.1", "m", "x"]'],
  ["a size without rows", '[0.1, "r", "80"]'],
  ["a size of nothing", '[0.1, "r", "0x0"]'],
  ["a text that is never closed", '[0.1, "o", "abc'],
  ["an escape that there isn't", '[0.1, "o", "\\q"]'],
  ["bytes that are no text", "\u0000\u0001"],
])("a line that is %s is counted, and the rest goes on", (_, line) => {
  const [header = "", before = "", after = ""] = castOf([
    [1, "o", "before"],
    [1, "o", "after"],
  ]).split("\n");
  const read = decodeAll(`${header}\n${before}\n${line}\n# a comment\n\n${after}\n`);
  expect(read.malformed).toBe(1);
  const texts = read.events.flatMap((event) => (event.kind === "output" ? [event.text] : [])).join("");
  expect(texts).toMatch(/^before.*after$/s);
});

test("a kind of event that is not known is passed over", () => {
  expect(decodeAll(castOf([[1, "i", "typed"]]))).toMatchObject({ malformed: 0, events: [{ kind: "header" }] });
});

test("a file without a header is shown all the same, at 80×24", () => {
  const read = decodeAll('nothing\n[1, "o", "text"]\n');
  expect(read.malformed).toBe(1);
  expect(read.events[0]).toMatchObject({ kind: "header", columns: 80, rows: 24 });
});

test("bytes that are no UTF-8 cost no more than themselves", () => {
  const file = new TextEncoder().encode(castOf([[1, "o", "aXb"]]));
  file[file.indexOf(0x58)] = 0xff;
  const texts = decodeAll(file).events.flatMap((event) => (event.kind === "output" ? [event.text] : []));
  expect(texts.join("")).toBe("a\ufffdb");
});
