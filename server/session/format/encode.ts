import { stringify } from "csv-stringify/sync";
import type { Column } from "../../../commands/define-command.ts";
import { EndpointError } from "../../errors.ts";
import type { Answer, DisclosedCell } from "../delivery.ts";
import { printable } from "../printable.ts";
import { listEncoder, tableEncoder } from "./for-people.ts";
import type { DisclosedRow, RowEncoder } from "./row-encoder.ts";

export interface EncodeOptions {
  /** Terminal cells in a line; tables that fit better as a list become one. Ignored by the machine formats. */
  readonly width: number;
  /** The bytes go to a terminal: foreign control characters are made visible in every format. */
  readonly terminal: boolean;
}

const asObject = (names: readonly string[], row: DisclosedRow): Record<string, DisclosedCell> =>
  Object.fromEntries(names.map((name, index) => [name, row[index] ?? null]));

const jsonEncoder = (names: readonly string[]): RowEncoder => {
  let written = 0;
  return {
    begin: () => "[",
    batch: (rows) =>
      rows.map((row) => `${written++ === 0 ? "\n  " : ",\n  "}${JSON.stringify(asObject(names, row))}`).join(""),
    end: () => (written === 0 ? "]\n" : "\n]\n"),
  };
};

const ndjsonEncoder = (names: readonly string[]): RowEncoder => ({
  begin: () => "",
  batch: (rows) => rows.map((row) => `${JSON.stringify(asObject(names, row))}\n`).join(""),
  end: () => "",
});

const csvEncoder = (names: readonly string[]): RowEncoder => ({
  begin: () => stringify([names]),
  batch: (rows) => stringify(rows.map((row) => row.map((cell) => (typeof cell === "boolean" ? String(cell) : cell)))),
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
    yield options.terminal ? text.split("\n").map(printable).join("\n") : text;
    return;
  }
  const encoder = encoderFor(answer, answer.columns, options);
  const forPeople = answer.format === undefined || answer.format === "table" || answer.format === "list";
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
