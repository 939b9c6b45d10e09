import stringWidth from "string-width";
import type { Column } from "../../command/define-command.ts";
import type { DisclosedCell } from "../delivery.ts";

export type DisclosedRow = readonly DisclosedCell[];

/** Turns rows into text, a batch at a time; nothing is kept but what the next batch needs. */
export interface RowEncoder {
  begin(): string;
  batch(rows: readonly DisclosedRow[]): string;
  end(): string;
}

const gap = "  ";

const shown = (cell: DisclosedCell | undefined): string => {
  if (cell === undefined || cell === null) return "";
  if (typeof cell === "boolean") return cell ? "True" : "False";
  return String(cell);
};

const padTo = (text: string, width: number): string => text + " ".repeat(Math.max(0, width - stringWidth(text)));

/** `Name : value`, one line a column, a blank line between rows, as PowerShell's Format-List. */
export const listEncoder = (columns: readonly Column[], _width: number): RowEncoder => {
  const nameWidth = Math.max(0, ...columns.map(({ name }) => name.length));
  let written = 0;
  return {
    begin: () => "",
    batch: (rows) =>
      rows
        .map((row) => {
          const lines = columns.map(({ name }, index) => `${padTo(name, nameWidth)} : ${shown(row[index])}\n`);
          return (written++ === 0 ? "" : "\n") + lines.join("");
        })
        .join(""),
    end: () => "",
  };
};

/**
 * Header, rule and rows. Widths come from the first batch: a stream can't look ahead, and a later, longer cell pushes its
 * line out rather than losing a character. A table that does not fit the width is written as a list.
 */
export const tableEncoder = (columns: readonly Column[], width: number): RowEncoder => {
  let widths: readonly number[] | undefined;
  let instead: RowEncoder | undefined;
  const line = (cells: readonly string[], to: readonly number[]): string =>
    `${cells
      .map((cell, index) => (index === cells.length - 1 ? cell : padTo(cell, to[index] ?? 0)))
      .join(gap)
      .trimEnd()}\n`;
  const heading = (to: readonly number[]): string =>
    line(
      columns.map(({ name }) => name),
      to,
    ) +
    line(
      columns.map((_, index) => "-".repeat(to[index] ?? 0)),
      to,
    );
  const measure = (rows: readonly DisclosedRow[]): readonly number[] =>
    columns.map(({ name, least = 0 }, index) =>
      Math.max(name.length, least, ...rows.map((row) => stringWidth(shown(row[index])))),
    );
  return {
    begin: () => "",
    batch: (rows) => {
      if (instead !== undefined) return instead.batch(rows);
      let head = "";
      if (widths === undefined) {
        const measured = measure(rows);
        const total = measured.reduce((sum, column) => sum + column + gap.length, -gap.length);
        if (total > width) {
          instead = listEncoder(columns, width);
          return instead.batch(rows);
        }
        widths = measured;
        head = heading(measured);
      }
      const to = widths;
      return (
        head +
        rows
          .map((row) =>
            line(
              columns.map((_, index) => shown(row[index])),
              to,
            ),
          )
          .join("")
      );
    },
    // An empty result still says what it would have shown.
    end: () => (widths === undefined && instead === undefined ? heading(measure([])) : ""),
  };
};
