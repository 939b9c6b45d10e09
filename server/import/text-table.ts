import type { RecoveryRecord } from "../site-database/recovery-record.ts";
import { findLayout, holdsPasswords, type Layout } from "./layout.ts";
import type { Line } from "./lines.ts";
import { guidsIn } from "./fields.ts";
import { recoveryPasswordsIn } from "./password-account.ts";
import type { Reading } from "./reading.ts";
import { rowReader, type Surroundings } from "./rows.ts";

/** `--------- ------` of Format-Table and sqlcmd. */
const ruler = /^[ \t]*-+(?:[ \t]+-+)+[ \t]*$/;

/** Columns begin where the ruler's dashes do; the last one has no end. */
const cut = (text: string, starts: readonly number[]): readonly string[] =>
  starts.map((start, index) => text.slice(start, starts[index + 1]).trim());

/** A narrow window breaks long names of columns over lines. */
const mostHeaderLines = 6;

/** The header is the line above the ruler, or several lines where that one alone says too little. */
const headerLayout = (above: readonly string[], starts: readonly number[]): Layout | undefined => {
  let names: readonly string[] = starts.map(() => "");
  for (const line of above.toReversed()) {
    const cells = cut(line, starts);
    names = names.map((name, index) => (cells[index] ?? "") + name);
    const layout = findLayout(names, []);
    if (holdsPasswords(layout) && layout.columns.has("keyId")) return layout;
  }
  return undefined;
};

interface Row {
  readonly line: number;
  readonly cells: readonly string[];
  /** Which cells end where their column does, so that the next line may go on with them. */
  readonly full: readonly boolean[];
}

interface Table {
  readonly starts: readonly number[];
  readonly layout: Layout;
  row: Row | undefined;
}

const doubtfulName =
  "the next line may continue this row's computer name, or belong to another computer. Use a list (Format-List), CSV or JSON.";

const isWhole = (cell: string): boolean => guidsIn(cell).length > 0 || recoveryPasswordsIn(cell).length > 0;

/** `Format-Table -Wrap` goes on with cells below themselves, and a line of such is no row of its own. */
const goesOn = (row: Row, next: Row): boolean =>
  next.cells.some((cell) => cell !== "") &&
  next.cells.every((cell, index) => {
    const above = row.cells[index] ?? "";
    return cell === "" || (above !== "" && row.full[index] === true && !isWhole(cell) && !isWhole(above));
  });

export interface TextTable {
  /** @returns undefined for a line that is of no table */
  take(line: Line): readonly RecoveryRecord[] | undefined;
  end(): readonly RecoveryRecord[];
}

/** Tables of a console: a header, a ruler, and rows up to the next empty line. */
export const createTextTable = (reading: Reading, surroundings: () => Surroundings): TextTable => {
  const readRow = rowReader(reading);
  let above: readonly string[] = [];
  let table: Table | undefined;

  const flush = (): readonly RecoveryRecord[] => {
    const row = table?.row;
    if (table === undefined || row === undefined) return [];
    table.row = undefined;
    return readRow(table.layout, row.cells, row.line, surroundings());
  };

  const takeRow = (current: Table, { number, text }: Line): readonly RecoveryRecord[] => {
    const { starts, layout, row: before } = current;
    const cells = cut(text, starts);
    const full = starts.map((_, index) => {
      const end = starts[index + 1];
      return end === undefined || (text.length >= end - 1 && !/\s/.test(text[end - 2] ?? " "));
    });
    const next = { line: number, cells, full };
    if (before !== undefined && goesOn(before, next)) {
      const keys = [...(layout.columns.get("keyId") ?? []), ...(layout.columns.get("password") ?? [])];
      if (keys.every((index) => (cells[index] ?? "") === "") && before.cells.some(isWhole)) {
        current.row = undefined;
        reading.refuse(before.line, doubtfulName, before.cells.join("\n"));
        return [];
      }
      current.row = { ...before, cells: before.cells.map((cell, index) => cell + (cells[index] ?? "")), full };
      return [];
    }
    const records = flush();
    current.row = next;
    return records;
  };

  return {
    take: (line) => {
      if (line.text.trim() === "") {
        above = [];
        const records = flush();
        table = undefined;
        return records.length === 0 ? undefined : records;
      }
      if (table !== undefined) return takeRow(table, line);
      if (!ruler.test(line.text)) {
        above = [...above, line.text].slice(-mostHeaderLines);
        return undefined;
      }
      const starts = [...line.text.matchAll(/-+/g)].map(({ index }) => index);
      const layout = headerLayout(above, starts);
      if (layout === undefined) return undefined;
      table = { starts, layout, row: undefined };
      return [];
    },
    end: flush,
  };
};
