import { defineShaping } from "../server/command/define-command.ts";
import { list } from "../server/command/parameters.ts";
import { columnName, pickColumns } from "./pick-columns.ts";

const parameters = {
  Property: list(columnName, { synopsis: "Only these columns, in this order.", position: 0 }),
};

export const formatList = defineShaping({
  name: "Format-List",
  aliases: ["fl"],
  synopsis: "Writes another command's rows as a list, a line for each column.",
  description:
    "Stands after a pipe, as -Format list does. Columns that are left out are dropped before anything is disclosed.",
  examples: [{ line: "Get-Command | Format-List Name,Synopsis", explains: "Two columns, one below the other." }],
  forEveryone: true,
  parameters,
  shape: (values, result) => ({ ...pickColumns(result, values.Property), format: "list" }),
});

export const formatTable = defineShaping({
  name: "Format-Table",
  aliases: ["ft"],
  synopsis: "Writes another command's rows as a table.",
  description:
    "Stands after a pipe, as -Format table does. Columns that are left out are dropped before anything is disclosed.",
  examples: [{ line: "Get-Command | Format-Table Name,Aliases", explains: "Two columns side by side." }],
  forEveryone: true,
  parameters,
  shape: (values, result) => ({ ...pickColumns(result, values.Property), format: "table" }),
});
