import type { CommandDescription, ParameterDescription } from "../server/command/define-command.ts";

const width = 78;
const indentation = "    ";

/** Breaks at blanks; a word longer than the line stands alone. */
const wrap = (text: string, indent: string): string => {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && indent.length + line.length + 1 + word.length > width) {
      lines.push(indent + line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, indent + line].join("\n");
};

const section = (title: string, paragraphs: readonly string[]): string[] =>
  paragraphs.length === 0 ? [] : [[title, ...paragraphs.map((text) => wrap(text, indentation))].join("\n")];

const placeholderOf = ({ kind, placeholder }: ParameterDescription): string => {
  const short = placeholder.length > 24 ? "<word>" : placeholder;
  return kind === "switch" ? "" : kind === "list" ? ` ${short}[,…]` : ` ${short}`;
};

const syntaxOf = (parameter: ParameterDescription): string => {
  const name = parameter.position === undefined ? `-${parameter.name}` : `[-${parameter.name}]`;
  // A no-break space: a parameter and its value stay in one line.
  const whole = `${name}${placeholderOf(parameter)}`.replace(" ", "\u00a0");
  return parameter.required === true ? whole : `[${whole}]`;
};

const parameterText = (parameter: ParameterDescription): string => {
  const below = indentation.repeat(2);
  const parts = [`${indentation}-${parameter.name}${placeholderOf(parameter)}`, wrap(parameter.synopsis, below)];
  if (parameter.values !== undefined) {
    parts.push(wrap(`Allowed values: ${parameter.values.join(", ")}.`, below));
  } else if (parameter.expects !== undefined && parameter.kind !== "switch") {
    parts.push(wrap(`${parameter.kind === "list" ? "Each must be" : "Must be"} ${parameter.expects}.`, below));
  }
  if (parameter.suggestions !== undefined) parts.push(wrap(`For example: ${parameter.suggestions.join("; ")}.`, below));
  if (parameter.patterns !== undefined) {
    parts.push(
      wrap("Your roles allow only what matches, as a whole and in any case:", below),
      ...parameter.patterns.map((pattern) => `${below}${indentation}${pattern}`),
    );
  }
  if (parameter.required === true) parts.push(wrap("Needed.", below));
  return parts.join("\n");
};

export const parameterHelp = (parameters: readonly ParameterDescription[]): string =>
  parameters.map(parameterText).join("\n\n");

const examplesOf = ({ examples }: CommandDescription): string[] =>
  examples.length === 0
    ? []
    : [
        `EXAMPLES\n${examples
          .map(({ line, explains }) => `${indentation}${line}\n${wrap(explains, indentation.repeat(2))}`)
          .join("\n\n")}`,
      ];

/** What PowerShell's -Examples shows. */
export const exampleHelp = (command: CommandDescription): string =>
  [...section("NAME", [command.name]), ...section("SYNOPSIS", [command.synopsis]), ...examplesOf(command)].join("\n\n");

/** Everything about one command, as far as this user may use it. */
export const commandHelp = (command: CommandDescription): string =>
  [
    ...section("NAME", [command.name]),
    ...section("SYNOPSIS", [command.synopsis]),
    ...section("ALIASES", command.aliases.length === 0 ? [] : [command.aliases.join(", ")]),
    ...section("SYNTAX", [[command.name, ...command.parameters.map(syntaxOf)].join(" ")]).map((text) =>
      text.replaceAll("\u00a0", " "),
    ),
    ...section("DESCRIPTION", [command.description]),
    ...(command.parameters.length === 0 ? [] : [`PARAMETERS\n${parameterHelp(command.parameters)}`]),
    ...section("RULES OF YOUR ROLES", command.rules),
    ...examplesOf(command),
  ].join("\n\n");

/** What a new user needs: the commands, and how a line is written. */
export const overview = (commands: readonly CommandDescription[]): string => {
  const longest = Math.max(...commands.map(({ name }) => name.length));
  return [
    `COMMANDS YOU CAN RUN\n${commands
      .map(({ name, synopsis }) => `${indentation}${name.padEnd(longest)}  ${synopsis}`)
      .join("\n")}`,
    ...section("HOW A LINE IS WRITTEN", [
      "Name -Parameter value -Switch. Upper and lower case are the same; a parameter's name may be cut short as long as it stays unambiguous.",
      "Several values: A,B,C. A value with blanks or special characters: 'in single quotes'.",
      "A pipe leads into Select-Object, Sort-Object, Measure-Object, Format-List and Format-Table: Get-Command | Measure-Object.",
      "There are no variables, script blocks or redirections; scripts run on your own machine: ssh HOST COMMAND > FILE.",
    ]),
    ...section("MORE", ["Get-Help NAME explains one command, with the values that your roles allow."]),
  ].join("\n\n");
};
