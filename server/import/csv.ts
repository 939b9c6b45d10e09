import { CsvError, parse } from "csv-parse";
import { printable } from "../model/harmless-text.ts";
import type { RecoveryRecord } from "../site-database/recovery-record.ts";
import { plainName } from "./column-names.ts";
import { isHeaderAgain, isRuler, neededCells, type CsvForm } from "./csv-form.ts";
import { plainText } from "../model/pasted-text.ts";
import { findLayout, holdsPasswords, type GivenColumns, type Layout } from "./layout.ts";
import { BrokenFile, type Reading } from "./reading.ts";
import { rowReader } from "./rows.ts";

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

const newlinesIn = (cells: readonly string[]): number => {
  let count = 0;
  for (const cell of cells) if (cell.includes("\n")) count += cell.split("\n").length - 1;
  return count;
};

const recoveryPasswords = /(?<!\d)(?:\d{6}-){7}\d{6}(?!\d)/;

/**
 * A quote that opens a field by mistake swallows the rows up to the next one, and their keys with them, without any
 * error. It shows in a row of several lines as a recovery password where none belongs.
 */
const swallowsRows = ({ columns }: Layout, cells: readonly string[]): boolean =>
  cells.some((cell, index) => columns.get("password")?.includes(index) !== true && recoveryPasswords.test(cell));

/** The cells of a row under the header; undefined when it was refused. */
const fitRow = (
  cells: readonly string[],
  header: Header,
  delimiter: string,
  refuse: (message: string) => void,
): readonly string[] | undefined => {
  const { names, needed } = header;
  if (cells.length < needed) {
    refuse(`this row has ${cells.length} of ${names.length} columns: is the file cut off?`);
    return undefined;
  }
  if (cells.length <= names.length) return cells;
  // Scripts that write no quotes put the distinguished name last, with its own commas.
  if (/^(.*distinguishedname|dn|bitlockerobject)$/i.test(names.at(-1)?.replace(/[^a-z]/gi, "") ?? "")) {
    const last = names.length - 1;
    return [...cells.slice(0, last), cells.slice(last).join(delimiter)];
  }
  // Scripts that write a delimiter behind every cell, and none in the header.
  if (cells.slice(names.length).every((cell) => cell.trim() === "")) return cells;
  refuse(`this row has ${cells.length} columns, the header has ${names.length}.`);
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

interface ParsedRow {
  readonly cells: readonly string[];
  /** Of the parser's text, when it had read the row. */
  readonly lines: number;
}

/**
 * The rows that each piece completes. The parser's own stream of rows takes turns of the event loop for every row, a third
 * of the time of a whole import's reading; so it gives them to a function instead.
 */
async function* parseRows(pieces: AsyncIterable<string>, delimiter: string): AsyncGenerator<readonly ParsedRow[]> {
  let rows: ParsedRow[] = [];
  const parser = parse({
    delimiter,
    record_delimiter: "\n",
    max_record_size: 256 * 1024,
    relax_column_count: true,
    // `OU="North"` in an unquoted field is text.
    relax_quotes: true,
    skip_empty_lines: true,
    on_record: (cells: readonly string[], { lines }) => {
      rows.push({ cells, lines });
      return null;
    },
  });
  // The writer gets the same error from its callback.
  parser.on("error", () => undefined);
  const told = (act: (done: (error?: Error | null) => void) => void): Promise<void> =>
    new Promise((resolve, reject) => {
      act((error) => (error ? reject(error) : resolve()));
    });
  for await (const piece of pieces) {
    await told((done) => parser.write(piece, done));
    yield rows;
    rows = [];
  }
  await told((done) => parser.end(done));
  yield rows;
}

interface Header {
  readonly names: readonly string[];
  readonly layout: Layout;
  readonly needed: number;
  /** Of the first column of recovery passwords. */
  readonly password: number;
}

const startsWithDigit = (cell: string): boolean => /^\d/.test(cell);

const mostColumnsTold = 20;

/**
 * Names of columns are what an administrator needs to see. A damaged file may have a row where its header should be, with
 * part of a key in it: what has as many digits as a group is not shown.
 */
const columnsSeen = (names: readonly string[]): string => {
  const told = names
    .slice(0, mostColumnsTold)
    .map((name) => (/(?:\d[^\p{L}]*){6}/u.test(plainText(name)) ? "(digits)" : printable(name.trim().slice(0, 40))));
  return `The columns are: ${told.join(", ")}${names.length > mostColumnsTold ? ", …" : ""}.`;
};

const identifying = ["keyId", "objectName", "distinguishedName"] as const;
const naming = ["computer", "objectName", "distinguishedName"] as const;

/** What tells columns apart, beside their names. */
interface Hints {
  readonly samples: CsvForm["samples"];
  readonly given: GivenColumns;
}

/** A header further down is judged by its names alone. */
const noHints: Hints = { samples: [], given: new Map() };

const readHeader = (line: number, names: readonly string[], { samples, given }: Hints, reading: Reading): Header => {
  const layout = findLayout(names, samples, given);
  const fail = (message: string): never => {
    throw new BrokenFile(line, `${message} ${columnsSeen(names)}`);
  };
  const plain = names.map(plainName);
  if ([...given.values()].some((name) => !plain.includes(plainName(name)))) {
    fail("there is no column of the name that --column says.");
  }
  if (!holdsPasswords(layout)) fail("no column holds recovery passwords; name it with --column RecoveryPassword=NAME.");
  if (!identifying.some((role) => layout.columns.has(role))) {
    fail("no column holds key ids (PasswordID); name it with --column PasswordID=NAME.");
  }
  if (reading.computerName === undefined && !naming.some((role) => layout.columns.has(role))) {
    fail(
      "no column names the computers; name it with --column Computer=NAME, or give --computer-name for one computer's keys.",
    );
  }
  return { names, layout, needed: neededCells(layout), password: layout.columns.get("password")?.[0] ?? -1 };
};

/** Reads row after row, each under the header that was the last. */
const createRowReader = (
  form: CsvForm,
  reading: Reading,
  given: GivenColumns,
): ((row: ParsedRow) => readonly RecoveryRecord[]) => {
  const readRow = rowReader(reading);
  let header: Header | undefined;
  return ({ cells, lines }) => {
    const newlines = newlinesIn(cells);
    const line = lines + form.headerLine - 1 - newlines;
    if (header === undefined) {
      header = readHeader(line, cells, { samples: form.samples, given }, reading);
      return [];
    }
    // Most rows are of keys, which no other kind of row begins like.
    if (!startsWithDigit(cells[header.password] ?? "")) {
      if (cells.every((cell) => cell.trim() === "") || isRuler(cells)) return [];
      if (isHeaderAgain(cells)) {
        header = readHeader(line, cells, noHints, reading);
        return [];
      }
    }
    if (newlines > 0 && swallowsRows(header.layout, cells)) {
      throw new BrokenFile(line, "a field beginning here holds other rows: a quote is missing or too many.");
    }
    const row = fitRow(cells, header, form.delimiter, (message) => reading.refuse(line, message, cells.join("\n")));
    return row === undefined ? [] : readRow(header.layout, row, line);
  };
};

/** Reads CSV by its header row. Rows are streamed; a row is longer than 256 KiB only by mistake. */
export async function* readCsv(
  pieces: AsyncIterable<string>,
  form: CsvForm,
  reading: Reading,
  given: GivenColumns,
): AsyncGenerator<RecoveryRecord> {
  const read = createRowReader(form, reading, given);
  try {
    for await (const rows of parseRows(withoutPreamble(pieces, form.headerLine), form.delimiter)) {
      // Not `yield*`, which waits for each value of an array as for a promise.
      for (const row of rows) for (const record of read(row)) yield record;
    }
  } catch (error) {
    if (error instanceof CsvError) throw explain(error, form.headerLine - 1);
    throw error;
  }
}
