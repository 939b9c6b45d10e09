import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { layPage, layText, type Shape } from "../../ui/layout/answer.ts";
import { groupsPerLine, secretLines } from "../../ui/layout/key-groups.ts";
import { fitColumns } from "../../ui/layout/table.ts";
import { viewLive } from "../../ui/layout/live.ts";
import { emptyEditor } from "../../ui/input/line-editor.ts";
import { cellsOf } from "../../ui/text/cells.ts";
import { lineText, type Line } from "../../ui/text/tones.ts";
import { commands, glyphKey, keyColumns, keyRow, withoutGlyphs } from "./fixtures.ts";

const texts = (lines: readonly Line[]): readonly string[] =>
  lines.map((line) => withoutGlyphs(lineText(line)).trimEnd());
const shape = (list = false): Shape => ({ columns: keyColumns, list, fitted: undefined });
const glyphs = (text: string): string =>
  Array.from(text)
    .filter((each) => /\p{Co}/u.test(each))
    .join("");

describe("a recovery key", () => {
  test.each([
    [200, 8],
    [55, 8],
    [54, 4],
    [38, 4],
    [28, 4],
    [27, 3],
    [14, 2],
    [8, 1],
  ])("in %i columns has %i groups a line", (width, groups) => {
    expect(groupsPerLine(width)).toBe(groups);
  });
  test("breaks between groups, and has every glyph once and in order at every width", () => {
    for (let width = 1; width <= 60; width += 1) {
      const lines = secretLines(glyphKey(3), width);
      expect(lines.join("")).toBe(glyphKey(3));
      for (const line of lines) expect(Array.from(line).length).toBeLessThanOrEqual(width);
      if (width >= 7) for (const line of lines.slice(0, -1)) expect(Array.from(line).length % 7).toBe(0);
    }
  });
});

describe("a page", () => {
  test("is a table where one fits", () => {
    const { lines } = layPage(shape(), [keyRow(0), keyRow(1)], { first: true, more: false, width: 200 });
    expect(texts(lines)).toEqual([
      "ComputerName  RecoveryKeyId                         RecoveryKey                                              VolumeType       LastUpdateTime",
      "------------  -------------                         -----------                                              ----------       --------------",
      "LAPTOP-000    00000000-AAAA-BBBB-CCCC-000000000000  000000-111111-222222-333333-444444-555555-666666-777777  OperatingSystem  2026-03-01T08:00:00Z",
      "LAPTOP-001    00000001-AAAA-BBBB-CCCC-000000000001  100000-111111-222222-333333-444444-555555-666666-777777  OperatingSystem  2026-03-01T08:00:00Z",
    ]);
  });
  test("wraps the widest columns first, never the key", () => {
    const widths = fitColumns(keyColumns, [keyRow(0)], 130, false);
    expect(widths?.[2]).toBe(55);
    expect(widths?.reduce((sum, each) => sum + each, 8)).toBe(130);
  });
  test("is cards where no table fits", () => {
    expect(fitColumns(keyColumns, [keyRow(0)], 80, false)).toBeUndefined();
    const { lines } = layPage(shape(), [keyRow(0), keyRow(1)], { first: true, more: false, width: 40 });
    expect(texts(lines).slice(0, 9)).toEqual([
      "ComputerName   : LAPTOP-000",
      "RecoveryKeyId  : 00000000-AAAA-BBBB-",
      "                 CCCC-000000000000",
      "RecoveryKey    :",
      "  000000-111111-222222-333333-",
      "  444444-555555-666666-777777",
      "VolumeType     : OperatingSystem",
      "LastUpdateTime : 2026-03-01T08:00:00Z",
      "",
    ]);
  });
  test("with one key numbers its groups, for reading it aloud", () => {
    const at = (width: number) => texts(layPage(shape(), [keyRow(0)], { first: true, more: false, width }).lines);
    expect(at(80).slice(2, 5)).toEqual([
      "RecoveryKey    :",
      "  1      2      3      4      5      6      7      8",
      "  000000-111111-222222-333333-444444-555555-666666-777777",
    ]);
    expect(at(40).slice(3, 8)).toEqual([
      "RecoveryKey    :",
      "  1      2      3      4",
      "  000000-111111-222222-333333-",
      "  5      6      7      8",
      "  444444-555555-666666-777777",
    ]);
  });
  test("after the first has no second header, until the width changes", () => {
    const first = layPage(shape(), [keyRow(0)], { first: true, more: true, width: 200 });
    const second = layPage(first.shape, [keyRow(1)], { first: false, more: true, width: 200 });
    expect(texts(second.lines)).toHaveLength(1);
    const third = layPage(second.shape, [keyRow(1)], { first: false, more: false, width: 160 });
    expect(texts(third.lines)[0]).toContain("ComputerName");
  });
  test("keeps every glyph, in order, within the width, at every width", () => {
    const cell = fc.string({ unit: "grapheme", maxLength: 40 });
    fc.assert(
      fc.property(
        fc.integer({ min: 7, max: 220 }),
        fc.boolean(),
        fc.boolean(),
        fc.array(fc.tuple(cell, cell, cell), { minLength: 1, maxLength: 4 }),
        (width, list, more, cells) => {
          const rows = cells.map(([a, b, c], index) => [a, b, glyphKey(index), c, "x"]);
          const { lines } = layPage(shape(list), rows, { first: true, more, width });
          expect(glyphs(lines.map(lineText).join(""))).toContain(rows.map((row) => row[2]).join(""));
          for (const line of lines) expect(cellsOf(lineText(line).trimEnd())).toBeLessThanOrEqual(width);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("free text", () => {
  test("is wrapped at blanks, with its indent", () => {
    expect(texts(layText("  one two three\n\nfour", 10))).toEqual(["  one two", "  three", "", "four"]);
  });
  test("with a key in it is left to the terminal, to be copied in one piece", () => {
    const line = `{"RecoveryKey": "${glyphKey(0)}"}`;
    expect(layText(line, 40).map(lineText)).toEqual([line]);
  });
});

describe("the live part", () => {
  const prompt = { connectedUser: "support", endpointName: "pep" };
  test("fits every size, with the cursor inside", () => {
    const typed = fc.constantFrom("", "Get-Re", "Get-RecoveryKeys -VolumeType x", "日本".repeat(300), "x".repeat(5000));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 220 }), fc.integer({ min: 1, max: 60 }), typed, (columns, rows, text) => {
        const editor = { ...emptyEditor, text, cursor: text.length };
        for (const kind of ["prompt", "page"] as const) {
          const activity = kind === "page" ? { kind, queued: 0 } : { kind };
          const { lines, cursor } = viewLive(
            { activity, editor, prompt, commands, waiting: columns % 3 },
            { columns, rows },
          );
          expect(lines.length).toBeLessThanOrEqual(Math.max(1, rows - 1));
          // A wide character in one column is the terminal's problem: it can't be shown at all.
          if (columns > 1) for (const line of lines) expect(cellsOf(lineText(line))).toBeLessThanOrEqual(columns);
          if (cursor === undefined) continue;
          expect(cursor.x).toBeLessThan(columns);
          expect(cursor.y).toBeLessThan(lines.length);
        }
      }),
    );
  });
  test("puts the cursor behind wide characters, and on a new row after a full one", () => {
    const at = (text: string, columns: number) =>
      viewLive(
        {
          activity: { kind: "prompt" },
          editor: { ...emptyEditor, text, cursor: text.length },
          prompt,
          commands: [],
          waiting: 0,
        },
        { columns, rows: 24 },
      ).cursor;
    expect(at("日本", 80)).toEqual({ x: 20, y: 0 });
    expect(at("x".repeat(64), 80)).toEqual({ x: 0, y: 1 });
    expect(at("日".repeat(32), 79)).toEqual({ x: 2, y: 1 });
  });
});
