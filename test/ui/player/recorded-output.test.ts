import * as fc from "fast-check";
import { expect, test } from "vitest";
import { filterOutput, outputStart } from "../../../ui/player/recorded-output.ts";

const escape = "\u001b";
const filtered = (...texts: readonly string[]): string => {
  let state = outputStart;
  let kept = "";
  for (const text of texts) {
    const next = filterOutput(text, state);
    kept += next.text;
    ({ state } = next);
  }
  return kept;
};

test("what the server's painter lets pass, passes", () => {
  const text = `a${escape}[1;32mb${escape}[0m${escape}[2K${escape}[3A${escape}[12;40H${escape}[J${escape}7c${escape}8\r\n\t\b日本`;
  expect(filtered(text)).toBe(text);
});

test.each([
  ["a title", `${escape}]0;evil\u0007`],
  ["the clipboard", `${escape}]52;c;ZXZpbA==${escape}\\`],
  ["a device control string", `${escape}P+q544e${escape}\\`],
  ["reports", `${escape}[6n${escape}[c${escape}[>q${escape}[21t\u0005`],
  ["another screen, margins, insertion", `${escape}[?1049h${escape}[2;5r${escape}[4h${escape}[99999L`],
  ["a reset, another character set", `${escape}c${escape}(0\u000e`],
  ["eight-bit controls", "\u009b6n\u009d0;evil\u009c\u0090q\u009c"],
  ["a repetition", `${escape}[99999999b`],
])("%s does not", (_, sequence) => {
  expect(filtered(`before${sequence}after`)).toMatch(/^before\\?after$/);
});

test("a glyph's code point, a reordering character and half a pair are shown as what they are: unknown", () => {
  expect(filtered("a\u{F0000}b\u{10FFFD}c\ue000d\u202ee\ud800f")).toBe("a\ufffdb\ufffdc\ufffdd\ufffde\ufffdf");
});

test("the mark of the server's own prompts is another one in a recording", () => {
  expect(filtered("◆ pep asks")).toBe("◇ pep asks");
});

test("marks on one character are a few", () => {
  expect(filtered(`e${"\u0301".repeat(10_000)}x`)).toBe(`e${"\u0301".repeat(8)}x`);
});

test("where output is cut makes no difference", () => {
  const pieces = fc.array(
    fc.oneof(
      fc.constantFrom(escape, "[", "]", "3", ";", "m", "H", "7", "\u0007", "\u009b", "?", "x"),
      fc.string({ maxLength: 3 }),
    ),
    { maxLength: 30 },
  );
  fc.assert(
    fc.property(pieces, (texts) => {
      expect(filtered(...texts)).toBe(filtered(texts.join("")));
    }),
    { seed: 5, numRuns: 1000 },
  );
});
