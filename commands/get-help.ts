import { EndpointError } from "../server/errors.ts";
import { defineCommand } from "../server/command/define-command.ts";
import { commandHelp, exampleHelp, overview, parameterHelp } from "./help-text.ts";
import { text } from "../server/command/parameter-kinds.ts";
import { flag, value } from "../server/command/parameters.ts";

const sameName = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

export const getHelp = defineCommand({
  name: "Get-Help",
  aliases: ["help", "man"],
  synopsis: "Explains the commands you can run, with the values you may give.",
  description:
    "Without a name: every command you can run, and how a line is written. With a name: that command's parameters, the values and " +
    "patterns that your roles allow, their rules, and examples that work for you.",
  examples: [
    { line: "Get-Help", explains: "Where to begin." },
    { line: "Get-Help Get-Command", explains: "One command." },
    { line: "Get-Help Select-Object -Parameter First", explains: "One parameter of one command." },
  ],
  forEveryone: true,
  parameters: {
    Name: value(text({ placeholder: "<name>", expects: "a command's name", fits: /^[A-Za-z][A-Za-z0-9-]{0,63}$/ }), {
      synopsis: "The command to explain.",
      position: 0,
    }),
    Parameter: value(
      text({
        placeholder: "<name>",
        expects: "a parameter's name, or * for all of them",
        fits: /^(?:[A-Za-z][A-Za-z0-9]{0,63}|\*)$/,
      }),
      { synopsis: "Only this parameter of the command; * for all of them." },
    ),
    Examples: flag({ synopsis: "Only the command's examples." }),
    Full: flag({ synopsis: "Changes nothing: the whole text is always shown." }),
    Detailed: flag({ synopsis: "Changes nothing: the whole text is always shown." }),
  },
  conflict: (values) =>
    values.Parameter !== undefined && values.Name === undefined
      ? "-Parameter needs a command: Get-Help NAME -Parameter PARAMETER."
      : undefined,
  run: (values, { visibleCommands }) => {
    const { Name: name, Parameter: wanted } = values;
    if (name === undefined) return { kind: "text", text: overview(visibleCommands) };
    const command = visibleCommands.find((one) => [one.name, ...one.aliases].some((own) => sameName(own, name)));
    if (command === undefined) {
      throw new EndpointError("ObjectNotFound", "You have no command of that name. Get-Command lists those you have.");
    }
    if (values.Examples === true) return { kind: "text", text: exampleHelp(command) };
    if (wanted === undefined) return { kind: "text", text: commandHelp(command) };
    const parameters = command.parameters.filter((one) => wanted === "*" || sameName(one.name, wanted));
    if (parameters.length === 0) {
      throw new EndpointError(
        "ObjectNotFound",
        command.parameters.length === 0
          ? `${command.name} has no parameters.`
          : `${command.name} has no such parameter. It has: ${command.parameters.map((one) => `-${one.name}`).join(", ")}.`,
      );
    }
    return { kind: "text", text: parameterHelp(parameters) };
  },
});
