import { EndpointError } from "../server/errors.ts";
import { defineShaping } from "../server/command/define-command.ts";
import type { Cell, Row } from "../server/command/define-command.ts";
import { flag, list } from "../server/command/parameters.ts";
import { columnName, findColumn } from "./pick-columns.ts";

/** Rows held until the last one is there. */
const mostSorted = 10_000;

/** Without case, as PowerShell sorts; times in ISO 8601 sort as texts. What is not there comes first. */
const sortValue = (cell: Cell | undefined): string | number => {
  if (typeof cell === "number") return cell;
  if (typeof cell === "boolean") return Number(cell);
  return typeof cell === "string" ? cell.toLowerCase() : "";
};

const compareCells = (a: Cell | undefined, b: Cell | undefined): number => {
  const [one, other] = [sortValue(a), sortValue(b)];
  if (typeof one !== typeof other) return typeof one === "number" ? -1 : 1;
  return one < other ? -1 : Number(one > other);
};

async function* sorted(
  batches: AsyncIterable<readonly Row[]>,
  indexes: readonly number[],
  direction: 1 | -1,
): AsyncGenerator<readonly Row[]> {
  const rows: Row[] = [];
  for await (const batch of batches) {
    if (rows.length + batch.length > mostSorted)
      throw new EndpointError(
        "LimitsExceeded",
        "Sort-Object takes at most 10,000 rows. Ask for fewer, or sort on your own machine.",
      );
    rows.push(...batch);
  }
  const compare = (a: Row, b: Row): number => {
    for (const index of indexes) {
      const order = compareCells(a[index], b[index]);
      if (order !== 0) return order * direction;
    }
    return 0;
  };
  if (rows.length > 0) yield rows.sort(compare);
}

export const sortObject = defineShaping({
  name: "Sort-Object",
  aliases: ["sort"],
  synopsis: "Sorts another command's rows.",
  description:
    "Stands after a pipe. It sorts at most 10,000 rows by the named columns, one after the other, else by the first column. " +
    "It discloses nothing.",
  examples: [
    { line: "Get-Command | Sort-Object Name", explains: "By name." },
    { line: "Get-Command | Sort-Object Name -Descending", explains: "The last name first." },
  ],
  forEveryone: true,
  parameters: {
    Property: list(columnName, { synopsis: "Sort by these columns.", position: 0 }),
    Descending: flag({ synopsis: "The largest first." }),
  },
  shape: (values, result) => {
    if (result.live === true)
      throw new EndpointError("InvalidArgument", "Live rows have no end, so they can't be sorted.");
    const named = values.Property?.filter((name) => name !== "*") ?? [];
    const indexes = named.length === 0 ? [0] : named.map((name) => findColumn(result.columns, name));
    if (indexes.some((index) => result.columns[index]?.secret === true))
      throw new EndpointError("InvalidArgument", "Rows can't be sorted by a recovery key. Name another column.");
    return { ...result, batches: sorted(result.batches, indexes, values.Descending === true ? -1 : 1) };
  },
});
