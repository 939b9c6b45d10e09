import type { UiColumn } from "../protocol.ts";
import { cellsOf, padTo, wrapTo } from "../text/cells.ts";
import { printable } from "../text/printable.ts";
import { type Line, span } from "../text/tones.ts";
import { groupsPerLine, isWholeKey, keyGroups, secretLines } from "./key-groups.ts";
import type { Rows } from "./table.ts";

const colon = " : ";
/** Narrower than this, a value goes below its name. */
const leastValueWidth = 16;

const indentFor = (width: number): number => (width >= 24 ? 2 : 0);

/** The name on its own line, the value below it. */
const below = (name: string, nameWidth: number, values: readonly Line[], width: number): readonly Line[] => [
  ...(nameWidth + colon.length <= width ? [padTo(name, nameWidth) + colon] : wrapTo(`${name} :`, width)).map((text) => [
    span(text, "name"),
  ]),
  ...values.map((value) => [span(" ".repeat(indentFor(width))), ...value]),
];

/** Eight groups under their numbers, so that two people on the phone know where they are. */
const numberedKey = (cell: string, width: number): readonly Line[] => {
  const groups = keyGroups(cell);
  const perLine = groupsPerLine(width);
  return Array.from({ length: Math.ceil(groups.length / perLine) }, (_, line) =>
    groups.slice(line * perLine, (line + 1) * perLine),
  ).flatMap((part, line): Line[] => [
    part.map((group, index) => span(padTo(String(line * perLine + index + 1), Array.from(group).length), "quiet")),
    [span(part.join(""), "key")],
  ]);
};

interface Widths {
  /** Of the names of all columns. */
  readonly nameWidth: number;
  /** Of the card. */
  readonly width: number;
}

const field = (column: UiColumn, cell: string, { nameWidth, width }: Widths, numbered: boolean): readonly Line[] => {
  const name = printable(column.name);
  const besideWidth = width - nameWidth - colon.length;
  const belowWidth = Math.max(1, width - indentFor(width));
  if (column.secret) {
    if (numbered) return below(name, nameWidth, numberedKey(cell, belowWidth), width);
    // Beside its name only in one piece: below there is room for more groups a line.
    if (Array.from(cell).length <= besideWidth)
      return [[span(padTo(name, nameWidth) + colon, "name"), span(cell, "key")]];
    return below(
      name,
      nameWidth,
      secretLines(cell, belowWidth).map((text) => [span(text, "key")]),
      width,
    );
  }
  const text = printable(cell);
  if (besideWidth >= leastValueWidth || cellsOf(text) <= besideWidth)
    return wrapTo(text, Math.max(1, besideWidth)).map((part, line) => [
      span(line === 0 ? padTo(name, nameWidth) + colon : " ".repeat(nameWidth + colon.length), "name"),
      span(part),
    ]);
  return below(
    name,
    nameWidth,
    wrapTo(text, belowWidth).map((part) => [span(part)]),
    width,
  );
};

const oneCard = (columns: readonly UiColumn[], row: readonly string[], width: number, numbered: boolean): Line[] => {
  const widths = { nameWidth: Math.max(0, ...columns.map(({ name }) => cellsOf(printable(name)))), width };
  return columns.flatMap((column, index) => {
    const cell = row[index] ?? "";
    return field(column, cell, widths, numbered && column.secret && isWholeKey(cell) && width >= 9);
  });
};

/** A card a row, with an empty line after each. */
export const cards = (columns: readonly UiColumn[], rows: Rows, width: number): readonly Line[] =>
  rows.flatMap((row) => [...oneCard(columns, row, width, false), []]);

/** Is the whole answer one recovery key? Then somebody will read it to somebody. */
export const isSingleKey = (columns: readonly UiColumn[], rows: Rows): boolean =>
  rows.length === 1 &&
  columns.filter((column, index) => column.secret && isWholeKey(rows[0]?.[index] ?? "")).length === 1;

export const singleKeyCard = (columns: readonly UiColumn[], rows: Rows, width: number): readonly Line[] =>
  rows.flatMap((row) => [...oneCard(columns, row, width, true), []]);
