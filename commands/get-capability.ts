import { columnsOf, rowsCommand } from "../server/command/rows-command.ts";

export const getCapability = rowsCommand({
  name: "Get-Capability",
  synopsis: "Shows what you may run, and which of your roles allow it.",
  description:
    "One row for each command and role: the parameters that the role lets you give, its rules, and the user or group entry that gives " +
    "you the role. The first row that accepts all of a line allows it.",
  examples: [{ line: "Get-Capability", explains: "Everything you may run, and why." }],
  forEveryone: true,
  parameters: {},
  columns: columnsOf({ Command: 18, Role: 16, Through: 20, Parameters: 40, Rules: 40 }),
  usualFormat: "list",
  rows: (_, { visibleCommands }) =>
    visibleCommands.flatMap(({ name, grants }) =>
      grants.map(({ roleCapability, through, parameters, rules }) => [
        name,
        roleCapability,
        through,
        parameters.map((parameter) => `-${parameter}`).join(", "),
        rules.join(" "),
      ]),
    ),
});
