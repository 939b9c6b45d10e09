import type { KeyEvent } from "./input/key-decoder.ts";
import type { Live, Size } from "./layout/live.ts";
import { lineColumns, type Rows } from "./layout/table.ts";
import type { UiColumn } from "./protocol.ts";
import { cutTo, padTo } from "./text/cells.ts";
import { printable } from "./text/printable.ts";
import { type Line, span } from "./text/tones.ts";

/** Rows to choose one from, narrowed by what is typed. */
export interface Choice {
  readonly columns: readonly UiColumn[];
  readonly rows: Rows;
  /** What a row has to have in it. */
  readonly filter: string;
  /** Place among the rows that are left. */
  readonly at: number;
  /** Rows whose key was asked for. */
  readonly shown: ReadonlySet<number>;
}

export const newChoice = (columns: readonly UiColumn[]): Choice => ({
  columns,
  rows: [],
  filter: "",
  at: 0,
  shown: new Set(),
});

/** Hyphens and blanks are no part of what a caller says. */
const plain = (text: string): string => text.replace(/[\s-]/g, "").toLowerCase();

/** Indices of the rows that are left. */
export const leftOf = ({ rows, filter }: Choice): readonly number[] => {
  const wanted = plain(filter);
  return rows.flatMap((row, index) => (row.some((cell) => plain(cell).includes(wanted)) ? [index] : []));
};

/** Longer is nothing that a cell has in it. */
const longestFilter = 64;

/**
 * @param page rows that a page has
 * @returns `chosen` where a row was, or `null` where no more is wanted
 */
export const pressChoice = (
  choice: Choice,
  event: KeyEvent,
  page: number,
): { readonly choice: Choice; readonly chosen?: number | null } => {
  const left = leftOf(choice);
  const moveTo = (at: number): { readonly choice: Choice } => ({
    choice: { ...choice, at: Math.max(0, Math.min(left.length - 1, at)) },
  });
  const narrow = (filter: string): { readonly choice: Choice } => ({ choice: { ...choice, filter, at: 0 } });
  if (event.type === "text") return narrow((choice.filter + event.text).slice(0, longestFilter));
  const name: string = event.name;
  switch (name) {
    case "up":
      return moveTo(choice.at - 1);
    case "down":
    case "tab":
      return moveTo(choice.at + 1);
    case "page-up":
      return moveTo(choice.at - page);
    case "page-down":
      return moveTo(choice.at + page);
    case "home":
      return moveTo(0);
    case "end":
      return moveTo(left.length - 1);
    case "backspace":
      return narrow(choice.filter.slice(0, -1));
    case "escape":
      // First what was typed goes, then the list.
      return choice.filter === "" ? { choice, chosen: null } : narrow("");
    case "enter": {
      const row = left[choice.at];
      if (row === undefined) return { choice };
      return { choice: { ...choice, shown: new Set([...choice.shown, row]) }, chosen: row };
    }
    default:
      return { choice };
  }
};

/** Lines that are no rows: the head, and what can be done. */
const otherLines = 2;
const mostRows = 12;

/** So many rows are seen at a time: never more than the screen has, less a line. */
export const rowsSeen = ({ rows }: Size): number => Math.max(1, Math.min(mostRows, rows - 1 - otherLines));

const statusTexts = (choice: Choice, left: number): readonly string[] => {
  const keys = `${choice.rows.length} keys`;
  const count = choice.filter === "" ? keys : `${left} of ${keys} have "${printable(choice.filter)}"`;
  const shown = choice.shown.size === 0 ? "" : `, ${choice.shown.size} shown`;
  const escape = choice.filter === "" ? "Esc ends" : "Esc: all";
  return [
    `${count}${shown}. Enter shows one, type to narrow, ${escape}`,
    `${count}${shown}. Enter shows, ${escape}`,
    count,
  ];
};

/** The list around the chosen row. The pointer says which it is where there is no underline. */
export const viewChoice = (choice: Choice, size: Size): Live => {
  const width = Math.max(1, size.columns);
  const pointer = "> ";
  const left = leftOf(choice);
  const columns = lineColumns(choice.columns, choice.rows, Math.max(1, width - pointer.length));
  const cells = (texts: readonly string[]): string =>
    columns.map(({ index, width: own }) => padTo(cutTo(printable(texts[index] ?? ""), own), own)).join("  ");
  const seen = Math.min(rowsSeen(size), left.length);
  const top = Math.max(0, Math.min(choice.at - Math.floor(seen / 2), left.length - seen));
  const lines = left.slice(top, top + seen).map((row, index): Line => {
    const isChosen = top + index === choice.at;
    const mark = isChosen ? pointer : choice.shown.has(row) ? "* " : "  ";
    return [span(mark), span(cells(choice.rows[row] ?? []), isChosen ? "chosen" : "plain")];
  });
  const texts = statusTexts(choice, left.length);
  const status = texts.find((text) => text.length <= width) ?? cutTo(texts.at(-1) ?? "", width);
  const head: Line = [span("  "), span(cells(choice.columns.map(({ name }) => name)), "name")];
  const all: readonly Line[] = [head, ...lines, [span(status, "quiet")]];
  return { lines: all.slice(-Math.max(1, size.rows - 1)), cursor: undefined };
};
