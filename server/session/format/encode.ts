import { stringify } from "csv-stringify/sync";
import { isForPeople, type Column } from "../../command/define-command.ts";
import { EndpointError } from "../../errors.ts";
import type { Answer, DisclosedCell } from "../delivery.ts";
import { printable, printableLines } from "../../model/harmless-text.ts";
import { listEncoder, tableEncoder } from "./for-people.ts";
import type { DisclosedRow, RowEncoder } from "./for-people.ts";

export interface EncodeOptions {
  /** Terminal cells in a line; tables that fit better as a list become one. Ignored by the machine formats. */
  readonly width: number;
  /** The bytes go to a terminal: foreign control characters are made visible in every format. */
  readonly terminal: boolean;
}

/**
 * Rows as JSON objects, from `{` of the first to `}` of the last. All in one call, as a call for each row took twice as
 * long: 1.3 instead of 0.7 µs a row. In valid JSON `{"` followed by a name's letter can only begin an object (a quotation mark inside
 * a text has a backslash before it, one that ends a text has no letter behind it), so the joints are where `},{"Name":` stands.
 */
const objectsJoinedBy = (names: readonly string[], joint: string): ((rows: readonly DisclosedRow[]) => string) => {
  const first = JSON.stringify(names[0] ?? "");
  const asObject = (row: DisclosedRow): Record<string, DisclosedCell> => {
    const object: Record<string, DisclosedCell> = {};
    for (let index = 0; index < names.length; index += 1) object[names[index] ?? ""] = row[index] ?? null;
    return object;
  };
  const between = `},{${first}:`;
  const instead = `}${joint}{${first}:`;
  return (rows) => JSON.stringify(rows.map(asObject)).slice(1, -1).replaceAll(between, instead);
};

const jsonEncoder = (names: readonly string[]): RowEncoder => {
  const objects = objectsJoinedBy(names, ",\n  ");
  let written = false;
  return {
    begin: () => "[",
    batch: (rows) => {
      if (rows.length === 0) return "";
      const joint = written ? ",\n  " : "\n  ";
      written = true;
      return joint + objects(rows);
    },
    end: () => (written ? "\n]\n" : "]\n"),
  };
};

const ndjsonEncoder = (names: readonly string[]): RowEncoder => {
  const objects = objectsJoinedBy(names, "\n");
  return {
    begin: () => "",
    batch: (rows) => (rows.length === 0 ? "" : `${objects(rows)}\n`),
    end: () => "",
  };
};

/** What a spreadsheet takes for a formula, in every width of the sign. */
const formula = /^[=+\-@\t\r＝＋－＠]/;

/**
 * What users wrote, a reason for instance, must not be run by the spreadsheet that opens it: an apostrophe in front makes it text
 * (OWASP, CSV Injection). Nothing of ours begins so.
 */
const csvCell = (cell: DisclosedCell): DisclosedCell => {
  if (typeof cell === "boolean") return String(cell);
  return typeof cell === "string" && formula.test(cell) ? `'${cell}` : cell;
};

const csvEncoder = (names: readonly string[]): RowEncoder => ({
  begin: () => stringify([names]),
  batch: (rows) => stringify(rows.map((row) => row.map(csvCell))),
  end: () => "",
});

const encoderFor = (
  answer: Extract<Answer, { kind: "rows" }>,
  columns: readonly Column[],
  { width }: EncodeOptions,
): RowEncoder => {
  const names = columns.map(({ name }) => name);
  switch (answer.format ?? "table") {
    case "table":
      return tableEncoder(columns, width);
    case "list":
      return listEncoder(columns, width);
    case "json":
      return jsonEncoder(names);
    case "ndjson":
      return ndjsonEncoder(names);
    case "csv":
      return csvEncoder(names);
  }
};

/** Bytes are no text: a terminal would obey what is in them. */
export const notForTerminal = (): EndpointError =>
  new EndpointError(
    "InvalidArgument",
    "This answers a file, not text for a terminal. Run it from your own machine, without -t: ssh HOST COMMAND > FILE",
  );

const printableCell = (cell: DisclosedCell): DisclosedCell => (typeof cell === "string" ? printable(cell) : cell);

/** About as many rows as fill an SSH packet. Between two slices the session may let others have their turn. */
const sliceRows = 128;

function* slicesOf<T>(batch: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < batch.length; at += sliceRows) yield batch.slice(at, at + sliceRows);
}

/**
 * An answer as text, in pieces, pulled one batch at a time. Lines end in LF; a terminal's CR is added by who writes to it.
 * `table` and `list` are for people, so foreign text is always made printable there.
 */
export async function* encodeAnswer(answer: Answer, options: EncodeOptions): AsyncGenerator<string> {
  if (answer.kind === "session") return;
  // Played on a screen, a file for a script (transcript-pieces.ts): never text of ours.
  if (answer.kind === "bytes" || answer.kind === "transcript") throw notForTerminal();
  if (answer.kind === "text") {
    const text = answer.text.endsWith("\n") || answer.text === "" ? answer.text : `${answer.text}\n`;
    yield options.terminal ? printableLines(text) : text;
    return;
  }
  const encoder = encoderFor(answer, answer.columns, options);
  const forPeople = isForPeople(answer.format);
  const clean = options.terminal || forPeople;
  let begun = false;
  for await (const batch of answer.batches) {
    // A table's widths are those of its first batch, so it is not cut.
    for (const rows of forPeople ? [batch] : slicesOf(batch)) {
      const text = encoder.batch(clean ? rows.map((row) => row.map(printableCell)) : rows);
      yield begun ? text : encoder.begin() + text;
      begun = true;
    }
  }
  yield (begun ? "" : encoder.begin()) + encoder.end();
}
