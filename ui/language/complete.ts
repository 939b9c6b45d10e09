import type { UiCommand } from "../protocol.ts";
import { placeAtCursor, placeWords } from "./place.ts";
import { quoted } from "./words.ts";

export interface Candidate {
  /** As it must be typed, quotes included. */
  readonly insert: string;
  /** As it is listed. */
  readonly label: string;
  /** What a person most likely types next: a blank after it, or nothing after a value that may be a list. */
  readonly suffix: string;
}

export interface Completion {
  /** What the candidate replaces. */
  readonly start: number;
  readonly end: number;
  readonly candidates: readonly Candidate[];
}

const fits = (name: string, typed: string): boolean => name.toLowerCase().startsWith(typed.toLowerCase());

const commandNames = (commands: readonly UiCommand[], typed: string): readonly string[] => [
  ...commands.filter(({ name }) => fits(name, typed)).map(({ name }) => name),
  // An alias only for somebody who is typing it: the list is long enough.
  ...commands.flatMap(({ name, aliases }) =>
    typed === "" || fits(name, typed) ? [] : aliases.filter((alias) => fits(alias, typed)),
  ),
];

const valueCandidates = (values: readonly string[], typed: string, quote: "" | "'" | '"', list: boolean): Candidate[] =>
  values
    .filter((value) => fits(value, typed))
    .map((value) => ({ insert: quoted(value, quote), label: value, suffix: list ? "" : " " }));

/** What could stand at the cursor. Case-insensitive; candidates have their own spelling. */
export const complete = (line: string, cursor: number, commands: readonly UiCommand[]): Completion => {
  const place = placeAtCursor(line, cursor, commands);
  const { role, word } = place;
  switch (role.kind) {
    case "command":
      return {
        start: place.start,
        end: cursor,
        // A pipe leads only into what shapes rows, and that stands nowhere else.
        candidates: commandNames(
          commands.filter(({ shaping }) => shaping === role.afterPipe),
          role.typed,
        )
          .toSorted((a, b) => a.localeCompare(b, "en"))
          .map((name) => ({ insert: name, label: name, suffix: " " })),
      };
    case "parameter": {
      const used = new Set(
        placeWords(line, commands).flatMap(({ start, role }) =>
          role.kind === "parameter" && start !== place.start ? [role.typed.toLowerCase()] : [],
        ),
      );
      return {
        start: place.start,
        end: cursor,
        candidates: role.command.parameters
          .filter(({ name }) => fits(name, role.typed) && !used.has(name.toLowerCase()))
          .map(({ name }) => ({ insert: `-${name}`, label: `-${name}`, suffix: " " })),
      };
    }
    case "value":
      return {
        start: word.elementStart,
        end: cursor,
        candidates: valueCandidates(
          role.parameter.values ?? [],
          word.element,
          word.quote,
          role.parameter.kind === "list",
        ),
      };
    case "unknown": {
      // A value without its parameter's name: the server may bind it to the first parameter that takes one.
      const first = role.command?.parameters.find(({ kind }) => kind !== "switch");
      const values = valueCandidates(first?.values ?? [], word.element, word.quote, first?.kind === "list");
      const parameters =
        word.value === "" && values.length === 0 && role.command !== undefined
          ? complete(`${line.slice(0, cursor)}-`, cursor + 1, commands).candidates
          : [];
      return { start: word.elementStart, end: cursor, candidates: [...values, ...parameters] };
    }
    default:
      return role satisfies never;
  }
};

/** The longest beginning that all candidates share, letter case aside; in the first one's spelling. */
export const sharedPrefix = (candidates: readonly Candidate[]): string => {
  const [first, ...rest] = candidates.map(({ insert }) => insert);
  if (first === undefined) return "";
  let length = first.length;
  for (const other of rest)
    while (length > 0 && other.slice(0, length).toLowerCase() !== first.slice(0, length).toLowerCase()) length -= 1;
  return first.slice(0, length);
};
