import { defineShaping } from "../server/command/define-command.ts";
import type { Row } from "../server/command/define-command.ts";
import { given } from "../server/command/given.ts";
import { integer } from "../server/command/parameter-kinds.ts";
import { list, value } from "../server/command/parameters.ts";
import { columnName, pickColumns } from "./pick-columns.ts";

const mostRows = 1_000_000;
/** -Last has to hold that many rows until the end is reached. */
const mostLastRows = 1000;

type Batches = AsyncIterable<readonly Row[]>;

/** Stops pulling as soon as it has enough: what is not asked for is not read, not marked, not disclosed. */
async function* window(batches: Batches, skip: number, first: number): AsyncGenerator<readonly Row[]> {
  let toSkip = skip;
  let left = first;
  for await (const batch of batches) {
    const rows = batch.slice(toSkip, toSkip + left);
    toSkip = Math.max(0, toSkip - batch.length);
    left -= rows.length;
    if (rows.length > 0) yield rows;
    if (left === 0) return;
  }
}

async function* lastOf(batches: Batches, last: number): AsyncGenerator<readonly Row[]> {
  let held: Row[] = [];
  for await (const batch of batches) held = [...held, ...batch].slice(-last);
  if (held.length > 0) yield held;
}

export const selectObject = defineShaping({
  name: "Select-Object",
  aliases: ["select"],
  synopsis: "Keeps some columns or some rows of another command's answer.",
  description:
    "Stands after a pipe. Columns and rows that are left out are dropped before anything is disclosed: what is not selected is " +
    "neither shown nor put on the record as shown.",
  examples: [
    { line: "Get-Command | Select-Object Name,Synopsis", explains: "Two columns only." },
    { line: "Get-Command | Select-Object -First 3", explains: "The first three rows." },
  ],
  forEveryone: true,
  parameters: {
    Property: list(columnName, { synopsis: "Only these columns, in this order.", position: 0 }),
    First: value(integer(1, mostRows), { synopsis: "Only this many rows, from the beginning." }),
    Last: value(integer(1, mostLastRows), { synopsis: "Only this many rows, from the end." }),
    Skip: value(integer(1, mostRows), { synopsis: "Leave this many rows out at the beginning." }),
  },
  conflict: (values) =>
    values.Last !== undefined && (values.First !== undefined || values.Skip !== undefined)
      ? "With -Last, leave -First and -Skip out."
      : undefined,
  shape: (values, result) => {
    const picked = pickColumns(result, values.Property);
    const { Last: last, First: first = mostRows, Skip: skip = 0 } = values;
    const cut = values.First !== undefined || values.Skip !== undefined;
    const shape = (batches: Batches): Batches => {
      if (last !== undefined) return lastOf(batches, last);
      return cut ? window(batches, skip, first) : batches;
    };
    const { count, ...rest } = picked;
    const left = (counted: number): number =>
      last === undefined ? Math.min(first, Math.max(0, counted - skip)) : Math.min(last, counted);
    return {
      ...rest,
      batches: shape(picked.batches),
      ...given({ count: count && (async () => left(await count())) }),
    };
  },
});
