import type { UiColumn } from "../protocol.ts";
import { cellsOf, wrapTo } from "../text/cells.ts";
import { printable, printableLines } from "../text/printable.ts";
import { type Line, span, type Tone } from "../text/tones.ts";
import { cards, isSingleKey, singleKeyCard } from "./card.ts";
import { fitColumns, type Rows, secretsFit, tableHeader, tableRows } from "./table.ts";

/** How the pages of one answer are laid out; the widths are decided by the first. */
export interface Shape {
  readonly columns: readonly UiColumn[];
  readonly list: boolean;
  /** The terminal's width when `widths` were computed; `undefined` before the first page. */
  readonly fitted: { readonly forWidth: number; readonly widths: readonly number[] | undefined } | undefined;
}

/** A page in lines, and the shape for the next one. */
export const layPage = (
  shape: Shape,
  rows: Rows,
  page: { readonly first: boolean; readonly more: boolean; readonly width: number },
): { readonly lines: readonly Line[]; readonly shape: Shape } => {
  const { columns } = shape;
  if (rows.length === 0) return { lines: [], shape };
  if (page.first && !page.more && isSingleKey(columns, rows))
    return { lines: singleKeyCard(columns, rows, page.width), shape };
  if (shape.list) return { lines: cards(columns, rows, page.width), shape };
  const { fitted } = shape;
  const keeps =
    fitted !== undefined &&
    fitted.forWidth === page.width &&
    (fitted.widths === undefined || secretsFit(columns, fitted.widths, rows));
  const widths = keeps ? fitted.widths : fitColumns(columns, rows, page.width, page.more);
  const next: Shape = { ...shape, fitted: { forWidth: page.width, widths } };
  // Too narrow for a table: a card loses nothing, and never cuts a key.
  if (widths === undefined) return { lines: cards(columns, rows, page.width), shape: next };
  const header = keeps ? [] : tableHeader(columns, widths);
  return { lines: [...header, ...tableRows(columns, widths, rows)], shape: next };
};

const indentOf = (line: string): number => /^ */.exec(line)?.[0].length ?? 0;

/**
 * Free text, words kept whole. A line with glyphs is data (a key inside JSON): the terminal wraps it, so that no line
 * end of ours gets into what somebody copies.
 */
export const layText = (text: string, width: number, tone: Tone = "plain"): readonly Line[] =>
  printableLines(text).flatMap((line): readonly Line[] => {
    if (cellsOf(line) <= width || /\p{Co}/u.test(line)) return [[span(line, tone)]];
    return wrapTo(line, width, indentOf(line)).map((part) => [span(part, tone)]);
  });

/** `category: message`, as PowerShell writes errors. */
export const layError = (category: string, message: string, width: number): readonly Line[] =>
  layText(`${printable(category)}: ${message}`, width, "error");

export const layNotice = (text: string, width: number): readonly Line[] => layText(`! ${text}`, width, "warning");

/** The last line of an answer, where there is something to say. An error has said its part already. */
export const layEnd = (end: {
  readonly tabular: boolean;
  readonly rowCount: number;
  readonly exitStatus: number;
  readonly failed: boolean;
}): readonly Line[] => {
  const count = end.rowCount === 0 ? "no rows" : end.rowCount === 1 ? "1 row" : `${end.rowCount} rows`;
  const parts = [
    ...(end.tabular && !(end.failed && end.rowCount === 0) ? [end.failed ? `${count} before that` : count] : []),
    ...(end.exitStatus !== 0 && !end.failed ? [`exit status ${end.exitStatus}`] : []),
  ];
  return parts.length === 0 ? [] : [[span(parts.join(", "), "quiet")]];
};
