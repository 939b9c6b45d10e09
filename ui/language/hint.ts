import { canonicalSearchPiece } from "../../server/model/search-piece.ts";
import { listInWords } from "../../server/model/list-in-words.ts";
import type { UiCommand, UiLookUp } from "../protocol.ts";
import { cutTo } from "../text/cells.ts";
import { matchParameter, placeAtCursor, type PlacedWord, placeWords, findCommand, type UiParameter } from "./place.ts";

export interface Hint {
  readonly kind: "problem" | "help";
  readonly text: string;
}

const fits = (name: string, typed: string): boolean => name.toLowerCase().startsWith(typed.toLowerCase());

/** `-Name <value>`, as in a syntax line. */
const usage = ({ name, kind, placeholder }: UiParameter): string => {
  if (kind === "switch") return `-${name}`;
  return `-${name} ${placeholder === "" ? "<value>" : placeholder}${kind === "list" ? "[,…]" : ""}`;
};

export const syntaxOf = (command: UiCommand): string =>
  [command.name, ...command.parameters.map((parameter) => `[${usage(parameter)}]`)].join(" ");

/** A wrong word is quoted to be recognised, not to be read. */
const mostQuoted = 30;

/** What is wrong with one word. A word still being typed is given time while it can become something. */
const problemOf = (placed: PlacedWord, typing: boolean, commands: readonly UiCommand[]): string | undefined => {
  const { role, word } = placed;
  switch (role.kind) {
    case "command": {
      if (findCommand(commands, role.typed) !== undefined) return undefined;
      const mayBecome = commands.some(({ name, aliases }) => [name, ...aliases].some((each) => fits(each, role.typed)));
      // The same words for a command that does not exist and one that this user may not see: here they are the same.
      return typing && mayBecome
        ? undefined
        : `${cutTo(role.typed, mostQuoted)} is not recognised. Get-Command lists what you can run.`;
    }
    case "parameter": {
      const { one, several } = matchParameter(role.command, role.typed);
      if (one !== undefined || (typing && several.length > 0)) return undefined;
      if (several.length > 1)
        return `-${role.typed} could be ${listInWords(
          several.map(({ name }) => `-${name}`),
          " or ",
        )}.`;
      return `${role.command.name} has no parameter -${cutTo(role.typed, mostQuoted)}.`;
    }
    case "value": {
      const allowed = role.parameter.values;
      if (allowed === undefined) return undefined;
      // Every finished element is checked where it was typed; only the last one can still grow.
      const mayBecome = typing && allowed.some((value) => fits(value, word.element));
      if (mayBecome || allowed.some((value) => value.toLowerCase() === word.element.toLowerCase())) return undefined;
      if (word.element === "" && word.value.endsWith(",")) return undefined;
      return `-${role.parameter.name} takes ${listInWords(allowed, " or ")}.`;
    }
    case "unknown":
      return undefined;
    default:
      return role satisfies never;
  }
};

const helpFor = (parameter: UiParameter): string => {
  const values = parameter.values === undefined ? "" : ` (${listInWords(parameter.values, " or ")})`;
  return `${usage(parameter)}  ${parameter.synopsis}${values}`;
};

/** What this user may look up; nothing: F2 does nothing for them. */
export const lookUpRights = (commands: readonly UiCommand[]): UiLookUp | undefined =>
  commands.find(({ lookUp }) => lookUp !== undefined)?.lookUp;

/** What stands under the prompt while a line is typed: the first problem, else help for the place of the cursor. */
export const hintFor = (line: string, cursor: number, commands: readonly UiCommand[]): Hint | undefined => {
  if (line.trim() === "") return undefined;
  const words = placeWords(line, commands);
  const piece = lookUpRights(commands) !== undefined && words.length === 1 ? canonicalSearchPiece(line) : undefined;
  for (const placed of words) {
    const typing = placed.start <= cursor && cursor <= placed.end;
    const text = problemOf(placed, typing, commands);
    if (text !== undefined && piece !== undefined && placed.role.kind === "command")
      return { kind: "problem", text: `${cutTo(piece, mostQuoted)} is no command. F2 looks it up.` };
    if (text !== undefined) return { kind: "problem", text };
  }
  const { role } = placeAtCursor(line, cursor, commands);
  switch (role.kind) {
    case "value":
      return { kind: "help", text: helpFor(role.parameter) };
    case "parameter": {
      const { one } = matchParameter(role.command, role.typed);
      return { kind: "help", text: one === undefined ? syntaxOf(role.command) : helpFor(one) };
    }
    case "command": {
      const command =
        findCommand(commands, role.typed) ??
        (role.typed === "" ? undefined : commands.find(({ name }) => fits(name, role.typed)));
      return command === undefined ? undefined : { kind: "help", text: `${syntaxOf(command)}  ${command.synopsis}` };
    }
    case "unknown":
      return role.command === undefined
        ? undefined
        : { kind: "help", text: `${syntaxOf(role.command)}  ${role.command.synopsis}` };
    default:
      return role satisfies never;
  }
};
