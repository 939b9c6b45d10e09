import { pipeline } from "node:stream";
import { CsvError, parse } from "csv-parse";
import * as z from "zod";
import type { RecoveryRecord } from "../site-database/recovery-record.ts";
import { BrokenFile, type Reading } from "./reading.ts";
import { findColumns, readRow, type Columns } from "./rows.ts";

const delimiters = [",", ";", "\t", "|"] as const;

export interface CsvForm {
  readonly delimiter: string;
  /** Line of the header, from 1. */
  readonly headerLine: number;
}

/** `#TYPE …` of Windows PowerShell's Export-Csv, `sep=;` of Excel, blank lines. */
const preamble = /^(#TYPE\b.*|sep=.?|\s*)$/i;

const unquoted = (name: string): string => name.trim().replace(/^"(.*)"$/, "$1");

/** Finds the header row and the delimiter under which most of its names are known. @returns undefined for no CSV of keys */
export const findCsvForm = (head: string): CsvForm | undefined => {
  const lines = head.split("\n", 20);
  const index = lines.findIndex((line) => !preamble.test(line));
  const header = lines[index] ?? "";
  const best = delimiters
    .map((delimiter) => ({ delimiter, known: findColumns(header.split(delimiter).map(unquoted))?.size ?? 0 }))
    .reduce((left, right) => (right.known > left.known ? right : left));
  return best.known === 0 ? undefined : { delimiter: best.delimiter, headerLine: index + 1 };
};

/** csv-parse's own errors quote the field they stumbled over, so only their code is told. */
const explain = (error: CsvError, offset: number): BrokenFile => {
  const lines: unknown = "lines" in error ? error["lines"] : undefined;
  const line = typeof lines === "number" ? lines + offset : undefined;
  if (error.code === "CSV_QUOTE_NOT_CLOSED") {
    return new BrokenFile(line, "a quoted field is not closed: the file is cut off, or a quote is missing.");
  }
  if (error.code === "CSV_MAX_RECORD_SIZE") {
    return new BrokenFile(line, "a row is too long: a quote is missing, or the delimiter is another one.");
  }
  return new BrokenFile(line, "a field's quotes are wrong.");
};

/** csv-parse with `info: true`; its declarations give the type without that option. */
const parsedRow = z.object({ record: z.array(z.string()), info: z.object({ lines: z.number() }) });

const newlinesIn = (cells: readonly string[]): number =>
  cells.reduce((sum, cell) => (cell.includes("\n") ? sum + cell.split("\n").length - 1 : sum), 0);

const recoveryPasswords = /(?<!\d)(?:\d{6}-){7}\d{6}(?!\d)/;

/**
 * A quote that opens a field by mistake swallows the rows up to the next one, and their keys with them, without any
 * error. It shows as a recovery password where none belongs.
 */
const swallowsRows = (columns: Columns, cells: readonly string[]): boolean =>
  newlinesIn(cells) > 0 &&
  cells.some((cell, index) => index !== columns.get("password") && recoveryPasswords.test(cell));

/** The cells of a row under the header; undefined when it was refused. */
const fitRow = (
  cells: readonly string[],
  header: readonly string[],
  delimiter: string,
  refuse: (message: string) => void,
): readonly string[] | undefined => {
  if (cells.length < header.length) {
    refuse(`this row has ${cells.length} of ${header.length} columns: is the file cut off?`);
    return undefined;
  }
  if (cells.length === header.length) return cells;
  // Scripts that write no quotes put the distinguished name last, with its own commas.
  if (/^(.*distinguishedname|dn|bitlockerobject)$/i.test(header.at(-1)?.replace(/[^a-z]/gi, "") ?? "")) {
    const last = header.length - 1;
    return [...cells.slice(0, last), cells.slice(last).join(delimiter)];
  }
  refuse(`this row has ${cells.length} columns, the header has ${header.length}.`);
  return undefined;
};

/** The text from its header row on. */
async function* withoutPreamble(pieces: AsyncIterable<string>, headerLine: number): AsyncGenerator<string> {
  let left = headerLine - 1;
  for await (let piece of pieces) {
    for (; left > 0 && piece !== ""; left -= 1) {
      const end = piece.indexOf("\n");
      piece = end === -1 ? "" : piece.slice(end + 1);
    }
    if (piece !== "") yield piece;
  }
}

/** Reads CSV by its header row. Rows are streamed; a row is longer than 256 KiB only by mistake. */
export async function* readCsv(
  pieces: AsyncIterable<string>,
  form: CsvForm,
  reading: Reading,
): AsyncGenerator<RecoveryRecord> {
  const offset = form.headerLine - 1;
  const parser = parse({
    delimiter: form.delimiter,
    record_delimiter: "\n",
    info: true,
    max_record_size: 256 * 1024,
    relax_column_count: true,
    // `OU="North"` in an unquoted field is text.
    relax_quotes: true,
    skip_empty_lines: true,
  });
  // An error of the source destroys the parser with it, so the loop below throws it; nothing is left to do here.
  pipeline(withoutPreamble(pieces, form.headerLine), parser, () => undefined);
  let header: readonly string[] | undefined;
  let columns: Columns | undefined;
  try {
    for await (const raw of parser) {
      const { record: cells, info } = parsedRow.parse(raw);
      if (header === undefined || columns === undefined) {
        header = cells;
        columns = findColumns(cells);
        if (columns === undefined) throw new BrokenFile(form.headerLine, "the header row's quotes are wrong.");
        continue;
      }
      const line = info.lines + offset - newlinesIn(cells);
      if (cells.every((cell) => cell.trim() === "")) continue;
      if (swallowsRows(columns, cells)) {
        throw new BrokenFile(line, "a field beginning here holds other rows: a quote is missing or too many.");
      }
      const row = fitRow(cells, header, form.delimiter, (message) => reading.refuse(line, message));
      if (row !== undefined) yield* readRow(columns, row, line, reading);
    }
  } catch (error) {
    if (error instanceof CsvError) throw explain(error, offset);
    throw error;
  }
}
