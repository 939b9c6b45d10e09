import type { UiColumn } from "../protocol.ts";
import { cellsOf, padTo, wrapTo } from "../text/cells.ts";
import { printable } from "../text/printable.ts";
import { type Line, span } from "../text/tones.ts";

export type Rows = readonly (readonly string[])[];

/** Between two columns. */
const gap = 2;
/** Below this a wrapped column is harder to read than a card. */
const leastWidth = 16;

const shown = (column: UiColumn, cell: string): string => (column.secret ? cell : printable(cell));

/** Glyphs are one column each (tried with Ink 8.0.0), so a secret's width is its number of code points. */
const widthOf = (column: UiColumn, cell: string): number =>
  column.secret ? Array.from(cell).length : cellsOf(printable(cell));

/**
 * The width of each column, or `undefined` when a table can't be had: a recovery key is never cut or wrapped in a table.
 *
 * @param more with later pages to come, a column is at least as wide as its definition says it usually is
 */
export const fitColumns = (
  columns: readonly UiColumn[],
  rows: Rows,
  width: number,
  more: boolean,
): readonly number[] | undefined => {
  const natural = columns.map((column, index) =>
    Math.max(
      1,
      cellsOf(printable(column.name)),
      more ? Math.min(column.width, width) : 0,
      ...rows.map((row) => widthOf(column, row[index] ?? "")),
    ),
  );
  const least = columns.map((column, index) => {
    const own = natural[index] ?? 1;
    return column.secret ? own : Math.min(own, Math.max(leastWidth, cellsOf(printable(column.name))));
  });
  const widths = [...natural];
  const gaps = gap * Math.max(0, columns.length - 1);
  const total = (list: readonly number[]): number => list.reduce((sum, each) => sum + each, gaps);
  if (total(least) > width) return undefined;
  while (total(widths) > width) {
    const widest = widths.reduce(
      (best, own, index) => (own > (least[index] ?? 0) && own > (widths[best] ?? 0) ? index : best),
      widths.findIndex((own, index) => own > (least[index] ?? 0)),
    );
    widths[widest] = (widths[widest] ?? 1) - 1;
  }
  return widths;
};

/** A column narrower than this says too little of its cells. */
const leastLineWidth = 9;

/**
 * The columns of rows that take one line each, with their widths: cells are cut where they are too long, and columns that have no
 * room left out, the last one first.
 */
export const lineColumns = (
  columns: readonly UiColumn[],
  rows: Rows,
  width: number,
): readonly { readonly index: number; readonly width: number }[] => {
  const natural = columns.map((column, index) =>
    Math.max(1, cellsOf(printable(column.name)), ...rows.map((row) => cellsOf(printable(row[index] ?? "")))),
  );
  const least = natural.map((own) => Math.min(own, leastLineWidth));
  let kept = columns.length;
  const total = (widths: readonly number[]): number => widths.reduce((sum, own) => sum + own + gap, -gap);
  while (kept > 1 && total(least.slice(0, kept)) > width) kept -= 1;
  const widths = natural.slice(0, kept);
  for (let over = total(widths) - width; over > 0; over -= 1) {
    const widest = widths.reduce((best, own, index) => (own > (widths[best] ?? 0) ? index : best), 0);
    widths[widest] = Math.max(1, (widths[widest] ?? 1) - 1);
  }
  return widths.map((own, index) => ({ index, width: own }));
};

export const tableHeader = (columns: readonly UiColumn[], widths: readonly number[]): readonly Line[] => {
  const last = columns.length - 1;
  const names = columns.map((column, index) => {
    const name = printable(column.name);
    return span(index === last ? name : padTo(name, (widths[index] ?? 0) + gap), "name");
  });
  const rules = columns.map((column, index) => {
    const rule = "-".repeat(cellsOf(printable(column.name)));
    return span(index === last ? rule : padTo(rule, (widths[index] ?? 0) + gap), "quiet");
  });
  return [names, rules];
};

/** Do later rows still fit the widths of the first page? A wider secret doesn't, and can't be wrapped. */
export const secretsFit = (columns: readonly UiColumn[], widths: readonly number[], rows: Rows): boolean =>
  rows.every((row) =>
    columns.every((column, index) => !column.secret || widthOf(column, row[index] ?? "") <= (widths[index] ?? 0)),
  );

export const tableRows = (columns: readonly UiColumn[], widths: readonly number[], rows: Rows): readonly Line[] =>
  rows.flatMap((row) => {
    const cells = columns.map((column, index) => {
      const text = shown(column, row[index] ?? "");
      return column.secret ? [text] : wrapTo(text, widths[index] ?? 1);
    });
    const height = Math.max(1, ...cells.map((lines) => lines.length));
    return Array.from({ length: height }, (_, at): Line =>
      columns.flatMap((column, index) => {
        const text = cells[index]?.[at] ?? "";
        const rest = (widths[index] ?? 0) + gap - (column.secret ? Array.from(text).length : cellsOf(text));
        const blanks = index === columns.length - 1 ? "" : " ".repeat(Math.max(0, rest));
        return [span(text, column.secret ? "key" : "plain"), span(blanks)];
      }),
    );
  });
