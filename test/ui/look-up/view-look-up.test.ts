import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createKeyDecoder } from "../../../ui/input/key-decoder.ts";
import { type LookUpState, openLookUp, pressLookUp, receiveCandidates } from "../../../ui/look-up/press-look-up.ts";
import { viewLookUp } from "../../../ui/look-up/view-look-up.ts";
import type { UiLookUp } from "../../../ui/protocol.ts";
import { cellsOf } from "../../../ui/text/cells.ts";
import { lineText } from "../../../ui/text/tones.ts";
import { at, candidate, candidates, reasons, rights } from "./fixtures.ts";

const keys = fc.constantFrom(
  ..."3A78b-*' x日é".split(""),
  "\r",
  "\u007f",
  "\t",
  "\u0015",
  "\u001b[A",
  "\u001b[B",
  "\u001b[5~",
  "\u001b[6~",
  "\u001b[200~LAPTOP\r\u001b[201~",
);
const name = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 90 }),
  fc.constantFrom("LAPTOP-007", "3A78", "日本".repeat(30)),
);
const row = fc.record({
  computerName: name,
  volumeType: name,
  keyId: fc.oneof(
    name,
    fc.uuid().map((id) => id.toUpperCase()),
  ),
  updated: fc.oneof(name, fc.constant(at)),
  state: fc.oneof(name, fc.constantFrom("Current", "Replaced", "Older", "")),
});
const step = fc.oneof(
  { weight: 3, arbitrary: keys },
  fc.record({ rows: fc.array(row, { maxLength: 12 }), message: fc.oneof(fc.constant(""), name) }),
);
const ownRights = fc.record({
  minimumNameCharacters: fc.integer({ min: 2, max: 4 }),
  minimumIdCharacters: fc.integer({ min: 3, max: 6 }),
  reason: fc.record({ offered: fc.constant(reasons), isNeeded: fc.boolean(), isListed: fc.boolean() }),
});

/** As the terminal and the server would have it: keys, and answers to what stands in the look-up. */
const play = (
  state: LookUpState,
  one: string | { rows: readonly (typeof candidates)[number][]; message: string },
  own: UiLookUp,
) => {
  if (typeof one !== "string")
    return receiveCandidates({ ...state, asked: state.piece }, { piece: state.piece, at, ...one });
  return createKeyDecoder()
    .push(new TextEncoder().encode(one))
    .reduce((now, event) => pressLookUp(now, event, own).state, state);
};

test("whatever is typed and found, the look-up is lower than the screen and no wider", () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 25 }),
      ownRights,
      fc.record({ columns: fc.integer({ min: 4, max: 120 }), rows: fc.integer({ min: 1, max: 40 }) }),
      (steps, own, size) => {
        let state = openLookUp("", "Ticket 4711");
        for (const one of steps) {
          state = play(state, one, own);
          const { lines, cursor } = viewLookUp(state, own, size);
          expect(lines.length).toBeLessThanOrEqual(Math.max(1, size.rows - 1));
          for (const line of lines) expect(cellsOf(lineText(line))).toBeLessThanOrEqual(size.columns);
          expect(cursor?.x).toBeLessThan(size.columns);
          expect(cursor?.y).toBeLessThan(lines.length);
        }
      },
    ),
    { numRuns: 300 },
  );
});

test("what is shown of a key that was typed is its form, not its digits", () => {
  const key = "235818-357951-253979-013365-241120-245575-342914-591910";
  const texts = [
    openLookUp(key, undefined),
    { ...openLookUp("3A78", undefined), reason: { candidate: candidate(), at, text: key, chosen: 0, problem: "" } },
  ].flatMap((state) => viewLookUp(state, rights, { columns: 200, rows: 40 }).lines.map(lineText));
  expect(texts.join("\n")).not.toMatch(/\d{6}-\d{6}/);
});

test("the typed part is marked where it is, in a name and in an id", () => {
  const state = receiveCandidates(
    { ...openLookUp("3a78", undefined), asked: "3a78" },
    { piece: "3a78", at, rows: candidates, message: "" },
  );
  for (const columns of [120, 60, 40]) {
    const { lines } = viewLookUp(state, rights, { columns, rows: 24 });
    const marked = lines.flatMap((line) =>
      line.flatMap(({ text, tone }) => (tone === "match" && text !== "" ? text : [])),
    );
    expect(marked).toEqual(["3A78", "3A78", "3A78"]);
  }
});

test.each([
  ["3A78B34B-1111", "3A78B34B…", "3A78B34B"],
  ["4222", "…4222-83…", "4222"],
  ["4222-8333-0123", "…4222-83…", "4222-83"],
  ["89AB", "…456789AB", "89AB"],
])("in a narrow window %s is found in an id shown as %s", (piece, shown, part) => {
  const rows = [candidate()];
  const state = receiveCandidates({ ...openLookUp(piece, undefined), asked: piece }, { piece, at, rows, message: "" });
  const { lines } = viewLookUp(state, rights, { columns: 40, rows: 10 });
  expect(lineText(lines[1] ?? [])).toContain(`  ${shown}  current`);
  expect(lines[1]?.find(({ tone }) => tone === "match")?.text).toBe(part);
});
