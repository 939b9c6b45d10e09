import { defineCommand, outputFormats } from "../server/command/define-command.ts";
import { oneBatch } from "./one-batch.ts";
import { oneOf } from "../server/command/parameter-kinds.ts";
import { value } from "../server/command/parameters.ts";

export const getCapability = defineCommand({
  name: "Get-Capability",
  synopsis: "Shows what you may run, and which of your roles it comes from.",
  description:
    "One row for each command and role: the parameters that role lets you give, its rules, and through which user or group entry you have " +
    "it. A line is allowed when one row, the first in this order, accepts all of it.",
  examples: [{ line: "Get-Capability", explains: "Everything you may run, and why." }],
  forEveryone: true,
  parameters: {
    Format: value(oneOf(outputFormats), { synopsis: "How rows are written." }),
  },
  run: (values, { visibleCommands }) => {
    const rows = visibleCommands.flatMap(({ name, grants }) =>
      grants.map((grant) => [
        name,
        grant.roleCapability,
        grant.through,
        grant.parameters.map((parameter) => `-${parameter}`).join(", "),
        grant.rules.join(" "),
      ]),
    );
    return {
      kind: "rows",
      columns: [
        { name: "Command", width: 18 },
        { name: "Role", width: 16 },
        { name: "Through", width: 20 },
        { name: "Parameters", width: 40 },
        { name: "Rules", width: 40 },
      ],
      batches: oneBatch(rows),
      count: () => Promise.resolve(rows.length),
      format: values.Format ?? "list",
    };
  },
});
