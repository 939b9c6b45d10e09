import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cellsOf, cutTo, graphemes, wrapTo } from "../../ui/text/cells.ts";
import { printable, printableLines } from "../../ui/text/printable.ts";
import { glyphKey } from "./fixtures.ts";

describe("foreign text", () => {
  test("colours and links are taken out, other controls are shown", () => {
    expect(printable("\u001b[31mred\u001b[0m \u001b]8;;http://x\u0007link\u001b]8;;\u001b\\ \u009b1mc")).toBe(
      "red link c",
    );
    expect(printable("\u001b[2Ja\u0007b\u007f\nc\u0085")).toBe("␛[2Ja␇b␡␊c\\u{85}");
    expect(printable("a\u202eb\u200b\ud800c")).toBe("a\\u{202e}b\\u{200b}\\u{d800}c");
  });
  test("glyphs and emoji pass", () => {
    expect(printable(`${glyphKey(0)} ✔️ 日本`)).toBe(`${glyphKey(0)} ✔️ 日本`);
  });
  test("in several lines, line ends and tabs keep their meaning", () => {
    expect(printableLines("a\r\nb\tc\n\nd\n")).toEqual(["a", "b    c", "", "d"]);
  });
  test("nothing that a terminal would obey is left", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(printable(text)).not.toMatch(/\p{Cc}|[\u202a-\u202e\u2066-\u2069]/u);
      }),
    );
  });
});

describe("wrapping", () => {
  test("keeps words, GUIDs in parts, and an indent", () => {
    expect(wrapTo("one two three", 8)).toEqual(["one two", "three"]);
    expect(wrapTo("12345678-ABCD-ABCD", 10)).toEqual(["12345678-", "ABCD-ABCD"]);
    expect(wrapTo("  one two", 7, 2)).toEqual(["  one", "  two"]);
    expect(wrapTo("syntax [-Name <x>]", 9)).toEqual(["syntax", "[-Name", "<x>]"]);
    expect(wrapTo("日本語です", 4)).toEqual(["日本", "語で", "す"]);
  });
  test("fits the width and loses nothing but blanks", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 200 }), fc.integer({ min: 2, max: 30 }), (raw, width) => {
        const text = printable(raw).normalize("NFC");
        const lines = wrapTo(text, width);
        // One character alone may be wider than the line (three musical signs that count as one).
        for (const line of lines) if (graphemes(line).length > 1) expect(cellsOf(line)).toBeLessThanOrEqual(width);
        expect(lines.join("").replace(/\s/g, "")).toBe(text.replace(/\s/g, ""));
      }),
    );
  });
  test("a cut text says so", () => {
    expect(cutTo("abcdef", 4)).toBe("abc…");
    expect(cutTo("日本語", 4)).toBe("日…");
    expect(cutTo("abc", 3)).toBe("abc");
  });
});
