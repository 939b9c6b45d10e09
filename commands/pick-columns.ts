import { EndpointError } from "../server/errors.ts";
import type { Column, Row, RowsResult } from "../server/command/define-command.ts";
import { text } from "../server/command/parameter-kinds.ts";

export const columnName = text({
  placeholder: "<column>",
  expects: "a column's name, or * for all of them",
  fits: /^(?:[A-Za-z][A-Za-z0-9]{0,63}|\*)$/,
});

/** @throws EndpointError InvalidArgument, with the columns that there are */
export const findColumn = (columns: readonly Column[], wanted: string): number => {
  const index = columns.findIndex(({ name }) => name.toLowerCase() === wanted.toLowerCase());
  if (index >= 0) return index;
  const names = columns.map(({ name }) => name).join(", ");
  throw new EndpointError("InvalidArgument", `There is no such column. The columns are: ${names}.`);
};

async function* only(
  batches: AsyncIterable<readonly Row[]>,
  indexes: readonly number[],
): AsyncGenerator<readonly Row[]> {
  for await (const batch of batches) yield batch.map((row) => indexes.map((index) => row[index] ?? null));
}

/** The rows with these columns in this order; without names, or with `*` among them, as they are. @throws EndpointError InvalidArgument */
export const pickColumns = (result: RowsResult, wanted: readonly string[] | undefined): RowsResult => {
  if (wanted === undefined || wanted.includes("*")) return result;
  const indexes = wanted.map((name) => findColumn(result.columns, name));
  if (new Set(indexes).size < indexes.length)
    throw new EndpointError("InvalidArgument", "A column is selected once at most.");
  return {
    ...result,
    columns: indexes.flatMap((index) => result.columns[index] ?? []),
    batches: only(result.batches, indexes),
  };
};
