import { Refusal } from "../errors.ts";

/**
 * The answer for a command that does not exist and for one this user can't see: word for word the same, without what
 * was typed, so that neither the words nor their length tell the two apart.
 *
 * @param closest of the commands that this user can see
 */
export const notRecognised = (
  details: { readonly reason: "unknown" | "hidden"; readonly command?: string },
  closest: readonly string[] = [],
): Refusal => {
  const meant = closest.length === 0 ? "" : `Did you mean ${closest.join(" or ")}? `;
  return new Refusal(
    "CommandNotFound",
    `That is not recognised as the name of a command. ${meant}Get-Command lists the commands you can run.`,
    details,
  );
};

export const syntax = (message: string): Refusal => new Refusal("InvalidArgument", message, { reason: "syntax" });

export const tooMuch = (message: string): Refusal => new Refusal("LimitsExceeded", message, { reason: "limit" });

const language = (message: string): Refusal =>
  new Refusal("ScriptsNotAllowed", `This endpoint runs single commands, not scripts. ${message}`, {
    reason: "language",
  });

const insteads = {
  variable: "Variables are not available: write the value itself, or put a text with a dollar sign in single quotes.",
  switchValue:
    "A switch is on when it is named and off when it is left out: write -Name alone, without $true or $false.",
  block: "Script blocks are not available: filter with the command's own parameters; Get-Help NAME lists them.",
  parenthesis: "Parentheses and sub-expressions are not available: write the value itself, for example -Since 7d.",
  separator: "Send one command a line.",
  call: "Write the command's name alone, without an operator before or after it, one command a line.",
  redirection: "Redirection is not available here: redirect on your own machine, for example ssh HOST COMMAND > FILE.",
  splat: "Splatting, arrays in @( ) and here-strings are not available: write a list with commas, as A,B,C.",
  comment: "Comments are not available: leave it out, or put a text that begins with # in quotes.",
  stopParsing: "The stop-parsing token is not available: put values with special characters in single quotes.",
  quotedName: "A command's name is written without quotes.",
  expression: "This is an expression; begin with a command's name.",
  lines:
    "Send one command a line: ssh -T HOST < FILE runs a file of lines (plink -T -batch HOST < FILE, not plink -m).",
  orElse: "Send one command a line; a script can look at the exit status.",
} as const;

/** What a script construct is answered with: that it is not available, and what works instead. */
export const scriptsNotAllowed = (construct: keyof typeof insteads): Refusal => language(insteads[construct]);

const ownMachine = "redirect on your own machine: ssh HOST COMMAND > FILE.";

/** PowerShell's habits behind a pipe: what does the same here. */
const habits: readonly (readonly [readonly string[], string])[] = [
  [["export-csv", "epcsv", "convertto-csv"], `Write -Format csv instead, and ${ownMachine}`],
  [["convertto-json"], "Write -Format json instead."],
  [
    ["convertto-xml", "export-clixml", "convertto-html"],
    `Write -Format json or -Format csv instead, and ${ownMachine}`,
  ],
  [["out-file", "tee-object", "tee", "set-content", "sc", "add-content", "ac"], `Leave it out, and ${ownMachine}`],
  [["where-object", "where", "?"], "The command's own parameters filter: Get-Help NAME lists them."],
  [["foreach-object", "foreach", "%"], "Give several values to one command, as A,B,C; loops run on your own machine."],
  [
    ["group-object", "group", "select-string", "sls", "findstr", "grep", "get-unique", "gu", "compare-object"],
    'Do that on your own machine: ssh HOST "COMMAND -Format ndjson" | YOUR-PROGRAM.',
  ],
  [["out-host", "oh", "out-default", "out-string", "more", "less"], "Leave it out: a screen shows page by page."],
  [
    ["out-gridview", "ogv", "clip", "clip.exe", "set-clipboard", "scb"],
    "Do that on your own machine: ssh HOST COMMAND | YOUR-PROGRAM.",
  ],
  [["format-wide", "fw", "format-custom", "fc"], "Format-List and Format-Table are available, or -Format."],
];

/** @param name what stands behind the pipe, as typed */
export const refusePipe = (name: string): Refusal => {
  const instead = habits.find(([names]) => names.includes(name.toLowerCase()))?.[1];
  const available = "A pipe leads only into Select-Object, Sort-Object, Measure-Object, Format-List and Format-Table.";
  return language(instead === undefined ? available : `${available} ${instead}`);
};

const constructs: Readonly<Record<string, keyof typeof insteads>> = {
  $: "variable",
  "{": "block",
  "}": "block",
  "(": "parenthesis",
  ")": "parenthesis",
  ";": "separator",
  "&": "call",
  "<": "redirection",
  ">": "redirection",
};

/** Characters that begin or end a construct of the language wherever they stand outside quotes. */
export const refuseLanguage = (line: string, at: number): void => {
  const character = line.charAt(at);
  const construct = Object.hasOwn(constructs, character) ? constructs[character] : undefined;
  if (construct === undefined) return;
  if (construct === "variable" && /^\$(?:true|false)(?![a-z0-9_])/i.test(line.slice(at, at + 7))) {
    throw scriptsNotAllowed("switchValue");
  }
  throw scriptsNotAllowed(construct);
};
