import { defineShaping } from "../server/command/define-command.ts";
import { given } from "../server/command/given.ts";
import type { RowsResult } from "../server/command/define-command.ts";

async function* counted({ count, countIsHidden, batches }: RowsResult): AsyncGenerator<readonly (readonly number[])[]> {
  let rows = 0;
  if (count === undefined || countIsHidden === true) {
    for await (const batch of batches) rows += batch.length;
  } else {
    rows = await count();
  }
  yield [[rows]];
}

export const measureObject = defineShaping({
  name: "Measure-Object",
  aliases: ["measure"],
  synopsis: "Counts the rows of another command's answer.",
  description: "Stands after a pipe. The rows themselves are not shown, so nothing is disclosed.",
  examples: [{ line: "Get-Command | Measure-Object", explains: "How many commands you can run." }],
  forEveryone: true,
  parameters: {},
  shape: (_, result) => ({
    kind: "rows",
    columns: [{ name: "Count", width: 10 }],
    batches: counted(result),
    count: () => Promise.resolve(1),
    ...given({ format: result.format, exitStatus: result.exitStatus }),
  }),
});
