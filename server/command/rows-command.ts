import { defineCommand, outputFormats } from "./define-command.ts";
import type {
  Cell,
  Column,
  CommandContext,
  CommandDefinition,
  DefinedFacts,
  EstimateContext,
  OutputFormat,
  Row,
  RowEstimate,
  RowsResult,
  TextResult,
} from "./define-command.ts";
import { given } from "./given.ts";
import { oneOf } from "./parameter-kinds.ts";
import { value } from "./parameters.ts";
import type { Parameters, Values } from "./parameters.ts";

/** A column that knows its cell of what a row is about. */
export interface ColumnOf<T> extends Column {
  readonly cell: (subject: T) => Cell;
}

/** Columns of rows that list their cells in the same order: each column's name with its usual width. */
export const columnsOf = (widths: Readonly<Record<string, number>>): readonly ColumnOf<Row>[] =>
  Object.entries(widths).map(([name, width], index) => ({ name, width, cell: (row) => row[index] ?? null }));

/** What rows are about, with what else is known of them. Those that are all there are counted; of others `count` says how many will come. */
export interface FoundRows<T> extends Omit<RowsResult, "kind" | "columns" | "batches"> {
  readonly rows: readonly T[] | AsyncIterable<readonly T[]>;
}

async function* inBatches<T>(rows: FoundRows<T>["rows"], columns: readonly ColumnOf<T>[]): AsyncGenerator<Row[]> {
  const toRow = (subject: T): Row => columns.map(({ cell }) => cell(subject));
  if ("length" in rows) yield rows.map(toRow);
  else for await (const batch of rows) yield batch.map(toRow);
}

/** Nothing is asked of what gives the rows before the first one is wanted. */
export const rowsResult = <T>(columns: readonly ColumnOf<T>[], { rows, ...rest }: FoundRows<T>): RowsResult => ({
  kind: "rows",
  columns,
  batches: inBatches(rows, columns),
  ...("length" in rows ? { count: () => Promise.resolve(rows.length) } : {}),
  ...rest,
});

const formatParameter = { Format: value(oneOf(outputFormats), { synopsis: "How rows are written." }) };

type WithFormat<P extends Parameters> = Values<P & typeof formatParameter>;

/** The compiler can't look into the values of parameters that it does not know. `Format` is one of them, and never required. */
const formatOf = (values: object): OutputFormat | undefined => (values as { readonly Format?: OutputFormat }).Format;

interface RowsDefinition<P extends Parameters, T> extends Omit<DefinedFacts<P & typeof formatParameter>, "parameters"> {
  readonly parameters: P;
  readonly columns:
    | readonly ColumnOf<T>[]
    | ((values: WithFormat<P>, context: CommandContext) => readonly ColumnOf<T>[]);
  /** What the rows are about. A result instead, where the answer is something else for once: a text, or rows with other columns. */
  readonly rows: (values: WithFormat<P>, context: CommandContext) => Found<T> | Promise<Found<T>>;
  /** Where neither `-Format` nor the rows say another; without it the session's default. */
  readonly usualFormat?: OutputFormat;
  /** The switch with which the answer is a text. */
  readonly textWith?: keyof P & string;
  readonly estimateRows?: (values: WithFormat<P>, context: EstimateContext) => Promise<RowEstimate>;
}

type Found<T> = readonly T[] | FoundRows<T> | RowsResult | TextResult;

/** Makes a command whose answer is rows: it has `-Format`, makes its cells, and counts the rows that are all there. */
export const rowsCommand = <P extends Parameters, T>(definition: RowsDefinition<P, T>): CommandDefinition => {
  const { columns, rows: find, usualFormat, textWith, conflict, ...facts } = definition;
  const answersText = (values: WithFormat<P>): boolean => textWith !== undefined && textWith in values;
  return defineCommand({
    ...facts,
    parameters: { ...facts.parameters, ...formatParameter },
    answersRows: (values) => !answersText(values),
    conflict: (values) =>
      answersText(values) && formatOf(values) !== undefined
        ? `-${textWith} answers no rows: leave -Format out.`
        : conflict?.(values),
    run: async (values, context) => {
      const found = await find(values, context);
      if ("kind" in found && found.kind === "text") return found;
      const result =
        "kind" in found
          ? found
          : rowsResult(
              typeof columns === "function" ? columns(values, context) : columns,
              "length" in found ? { rows: found } : found,
            );
      return { ...result, ...given({ format: formatOf(values) ?? result.format ?? usualFormat }) };
    },
  });
};
