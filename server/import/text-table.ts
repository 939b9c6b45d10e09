import type { RecoveryRecord } from "../site-database/recovery-record.ts";
import { findLayout, holdsPasswords, type Layout } from "./layout.ts";
import type { Line } from "./lines.ts";
import type { Reading } from "./reading.ts";
import { readRow, type Surroundings } from "./rows.ts";

/** `--------- ------` of Format-Table and sqlcmd. */
const ruler = /^[ \t]*-+(?:[ \t]+-+)+[ \t]*$/;

/** Columns begin where the ruler's dashes do; the last one has no end. */
const cut = (text: string, starts: readonly number[]): readonly string[] =>
  starts.map((start, index) => text.slice(start, starts[index + 1]).trim());

/**
 * Tables of a console: a header, a ruler, and rows up to the next empty line.
 *
 * @returns `take` gives undefined for a line that is of no table
 */
export const createTextTable = (
  reading: Reading,
  surroundings: () => Surroundings,
): { readonly take: (line: Line) => readonly RecoveryRecord[] | undefined } => {
  let before = "";
  let table: { readonly starts: readonly number[]; readonly layout: Layout } | undefined;
  return {
    take: ({ number, text }) => {
      const above = before;
      before = text;
      if (text.trim() === "") table = undefined;
      if (table !== undefined) return readRow(table.layout, cut(text, table.starts), number, reading, surroundings());
      if (!ruler.test(text)) return undefined;
      const starts = [...text.matchAll(/-+/g)].map(({ index }) => index);
      const layout = findLayout(cut(above, starts), []);
      if (!holdsPasswords(layout) || !layout.columns.has("keyId")) return undefined;
      table = { starts, layout };
      return [];
    },
  };
};
