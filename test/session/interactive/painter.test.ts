import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Glyphs } from "../../../server/session/interactive/glyphs.ts";
import { Painter, type Painted } from "../../../server/session/interactive/painter.ts";
import { allowedControlSequence } from "../../../server/session/interactive/terminal-sequence.ts";

const encoder = new TextEncoder();
const escape = "\u001b";

/** Letters only, so that a digit in the record can only come from a key. */
const key = "135790-246801-999999-000000-123456-654321-111111-222222";

const paintIn = (chunks: readonly Uint8Array[], glyphs: Glyphs): Painted => {
  const painter = new Painter(glyphs);
  const painted = chunks.map((chunk) => painter.paint(chunk));
  return {
    shown: painted.map(({ shown }) => shown).join(""),
    recorded: painted.map(({ recorded }) => recorded).join(""),
  };
};

const withKey = (): { glyphs: Glyphs; run: string } => {
  const glyphs = new Glyphs();
  return { glyphs, run: glyphs.reveal(key, 1) };
};

const painted = (text: string): string => {
  const { glyphs, run } = withKey();
  return paintIn([encoder.encode(text.replaceAll("KEY", run))], glyphs).shown;
};

/** Anything a UI process might write: text, glyphs bound and not, controls, and pieces of sequences in any order. */
const hostileText = fc
  .array(
    fc.oneof(
      fc.constantFrom("KEY", "K", "abc", "日本", "•", "\u{F1234}", "\u{10FFFD}", "\uE000", "◆", "\r\n", "\t", "\u0007"),
      fc.constantFrom(escape, `${escape}[`, `${escape}]`, `${escape}P`, `${escape}\\`, "\u009b", "\u009d", "\u009c"),
      fc.constantFrom(";", ":", "?", "m", "h", "l", "n", "c", "H", "J", "u", "t", "q", "[", "]", "(", "\u0018"),
      fc.constantFrom(`${escape}[m`, `${escape}[H`, `${escape}[K`, `${escape}[?h`),
      fc.string({ unit: "binary", maxLength: 4 }).map((text) => text.replace(/[0-9]/g, "")),
    ),
    { maxLength: 40 },
  )
  .map((parts) => parts.join(""));

const chunksOf = (bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] => {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
};

const cuts = fc.array(fc.nat(), { maxLength: 12 });

describe("any bytes of a UI process", () => {
  const input = (text: string, glyphs: Glyphs): Uint8Array => {
    const run = glyphs.reveal(key, 1);
    return encoder.encode(text.replaceAll("KEY", run).replaceAll("K", Array.from(run)[0] ?? ""));
  };

  test("are painted the same however they are cut", () => {
    fc.assert(
      fc.property(hostileText, cuts, (text, at) => {
        const glyphs = new Glyphs();
        const bytes = input(text, glyphs);
        expect(paintIn(chunksOf(bytes, at), glyphs)).toEqual(paintIn([bytes], glyphs));
      }),
    );
  });

  test("never let a private-use code point out, neither to the terminal nor to the record", () => {
    fc.assert(
      fc.property(hostileText, cuts, (text, at) => {
        const glyphs = new Glyphs();
        const { shown, recorded } = paintIn(chunksOf(input(text, glyphs), at), glyphs);
        expect(`${shown}${recorded}`).not.toMatch(/\p{Co}|\p{Cs}/u);
      }),
    );
  });

  test("leave no digit of a key in the record, which is the terminal's text with glyphs exchanged", () => {
    fc.assert(
      fc.property(hostileText, cuts, (text, at) => {
        const glyphs = new Glyphs();
        const { shown, recorded } = paintIn(chunksOf(input(text, glyphs), at), glyphs);
        expect(recorded).not.toMatch(/[0-9]/);
        const pairs = Array.from(shown);
        const masked = Array.from(recorded);
        expect(masked.length).toBe(pairs.length);
        for (const [index, character] of pairs.entries()) {
          if (masked[index] !== character) expect([masked[index], key.includes(character)]).toEqual(["•", true]);
        }
      }),
    );
  });

  test("reach the terminal as text and whole harmless sequences only", () => {
    const harmless = new RegExp(
      `${escape}\\[[0-9;:]*[A-HfdJKXmsu]|${escape}\\[\\?(?:25|2004|2026)(?:;(?:25|2004|2026))*[hl]|${escape}[78]`,
      "g",
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), hostileText, (noise, text) => {
        const glyphs = new Glyphs();
        const bytes = Buffer.concat([noise, input(text, glyphs), noise]);
        const rest = paintIn([bytes], glyphs).shown.replace(harmless, "");
        expect(rest).not.toMatch(/[\u0000-\u0007\u000b\u000c\u000e-\u001f\u007f-\u009f◆]/);
      }),
    );
  });
});

describe("a sequence", () => {
  test.each([
    ["colour", `${escape}[1;38;5;208mx${escape}[0m`],
    ["true colour", `${escape}[38;2;1;2;3mx`],
    ["curly underline", `${escape}[4:3mx`],
    ["cursor", `${escape}[2J${escape}[H${escape}[3;4H${escape}[2K${escape}[1G${escape}[5A`],
    ["scrollback", `${escape}[3J`],
    ["modes", `${escape}[?25l${escape}[?2026h${escape}[?2004h`],
    ["saved cursor", `${escape}7${escape}8${escape}[s${escape}[u`],
  ])("of %s passes unchanged", (_, text) => {
    expect(painted(text)).toBe(text);
  });

  test.each([
    ["a title", `${escape}]0;KEY\u0007`],
    ["the clipboard", `${escape}]52;c;KEY${escape}\\`],
    ["a link", `${escape}]8;;https://example.org/KEY${escape}\\`],
    ["a device report", `${escape}[6n${escape}[c${escape}[>0c${escape}[=c`],
    ["a window report", `${escape}[21t`],
    ["a mode query", `${escape}[?2026$p`],
    ["a keyboard query", `${escape}[?u${escape}[>1u`],
    ["a settings query", `${escape}P$qKEYm${escape}\\`],
    ["a capability query", `${escape}P+q544e${escape}\\`],
    ["other modes", `${escape}[?1049h${escape}[?1000h${escape}[?25;1000h${escape}[4h`],
    ["a reset", `${escape}c`],
    ["a character set", `${escape}(0`],
    ["C1 forms of them", "\u009b6n\u009d52;c;KEY\u009c\u0090$qm\u009c"],
    ["enquiry and bell", "\u0005\u0007\u000e\u000f"],
    ["a malformed colour", `${escape}[38m${escape}[38;9m${escape}[38;2;1m${escape}[99999m`],
    ["an endless sequence", `${escape}[${"1;".repeat(500)}m`],
    ["scrolling regions", `${escape}[1;5r${escape}[5L`],
  ])("for %s becomes nothing", (_, text) => {
    expect(painted(text)).toBe("");
  });

  test("for a background becomes nothing, and reverse video becomes underlining", () => {
    expect(painted(`${escape}[1;7;48;5;3;31m`)).toBe(`${escape}[1;4;31m`);
    expect(painted(`${escape}[41m${escape}[107m${escape}[48;2;1;2;3m${escape}[8m`)).toBe("");
    expect(painted(`${escape}[07m${escape}[27m`)).toBe(`${escape}[4m${escape}[24m`);
  });

  test("is still whole when a glyph stands inside it, and the glyph is nothing", () => {
    expect(painted(`${escape}[3KEY1m`)).toBe(`${escape}[31m`);
  });

  test("that is cut off by the next one is not sent", () => {
    expect(allowedControlSequence("31")).toBeUndefined();
    expect(painted(`${escape}[31${escape}[32mx`)).toBe(`${escape}[32mx`);
  });
});

test("a glyph shows the key's character, again and again, until it is released", () => {
  const { glyphs, run } = withKey();
  const painter = new Painter(glyphs);
  expect(painter.paintText(`<${run}>`)).toEqual({ shown: `<${key}>`, recorded: `<${"•".repeat(key.length)}>` });
  expect(painter.paintText(run).shown).toBe(key);
  glyphs.release(1);
  expect(painter.paintText(`<${run}>`)).toEqual({ shown: "<>", recorded: "<>" });
});
