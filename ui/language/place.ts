import type { UiCommand } from "../protocol.ts";
import { readWords, type Word } from "./words.ts";

export type UiParameter = UiCommand["parameters"][number];

/** What a word of a command is, as far as its place tells. */
type Role =
  | { readonly kind: "command"; readonly typed: string; readonly afterPipe: boolean }
  | { readonly kind: "parameter"; readonly typed: string; readonly command: UiCommand }
  | { readonly kind: "value"; readonly parameter: UiParameter; readonly command: UiCommand }
  | { readonly kind: "unknown"; readonly command: UiCommand | undefined };

export interface PlacedWord {
  readonly word: Word;
  readonly role: Role;
  /** For `-Name:value`: the part before the colon is another placed word over the same text. */
  readonly start: number;
  readonly end: number;
}

const equal = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();
const startsWith = (text: string, prefix: string): boolean => text.toLowerCase().startsWith(prefix.toLowerCase());

export const findCommand = (commands: readonly UiCommand[], name: string): UiCommand | undefined =>
  commands.find((command) => equal(command.name, name) || command.aliases.some((alias) => equal(alias, name)));

/** Whole names and unambiguous prefixes, as the server resolves them; `several` when a prefix fits more than one. */
export const matchParameter = (
  command: UiCommand,
  typed: string,
): { readonly one: UiParameter | undefined; readonly several: readonly UiParameter[] } => {
  const exact = command.parameters.find(({ name }) => equal(name, typed));
  const several = command.parameters.filter(({ name }) => startsWith(name, typed));
  return { one: exact ?? (several.length === 1 ? several[0] : undefined), several };
};

/** Gives every word of the line its role; a value after a comma and a blank stays with its parameter. */
export const placeWords = (line: string, commands: readonly UiCommand[]): readonly PlacedWord[] =>
  readWords(line).flatMap((words, stage) => {
    const placed: PlacedWord[] = [];
    let command: UiCommand | undefined;
    let pending: UiParameter | undefined;
    words.forEach((word, index) => {
      const whole = { word, start: word.start, end: word.end };
      if (index === 0) {
        command = findCommand(commands, word.value);
        placed.push({ ...whole, role: { kind: "command", typed: word.value, afterPipe: stage > 0 } });
        return;
      }
      const raw = line.slice(word.start, word.end);
      if (command !== undefined && /^-(?:[\p{L}?]|$)/u.test(raw)) {
        const [name = ""] = raw.slice(1).split(":", 1);
        const colonAt = word.start + 1 + name.length;
        const hasValue = raw.length > name.length + 1;
        const parameter = matchParameter(command, name).one;
        placed.push({
          word,
          start: word.start,
          end: hasValue ? colonAt : word.end,
          role: { kind: "parameter", typed: name, command },
        });
        pending = parameter?.kind === "switch" ? undefined : parameter;
        if (!hasValue) return;
        const [value] = readWords(line.slice(colonAt + 1, word.end))[0] ?? [];
        const shifted: Word =
          value === undefined
            ? { ...word, start: word.end, elementStart: word.end, value: "", element: "", quote: "", open: false }
            : {
                ...value,
                start: value.start + colonAt + 1,
                end: value.end + colonAt + 1,
                elementStart: value.elementStart + colonAt + 1,
              };
        placed.push({
          word: shifted,
          start: shifted.start,
          end: shifted.end,
          role: pending === undefined ? { kind: "unknown", command } : { kind: "value", parameter: pending, command },
        });
        if (!shifted.value.endsWith(",")) pending = undefined;
        return;
      }
      placed.push({
        ...whole,
        role:
          pending === undefined || command === undefined
            ? { kind: "unknown", command }
            : { kind: "value", parameter: pending, command },
      });
      if (!word.value.endsWith(",")) pending = undefined;
    });
    return placed;
  });

/** What stands at the cursor: a word being typed, or an empty place where one may begin. */
export const placeAtCursor = (line: string, cursor: number, commands: readonly UiCommand[]): PlacedWord => {
  // A letter typed at the cursor has the role of the empty place; `x` can't be a quote, a pipe or a parameter.
  const before = line.slice(0, cursor);
  const placed = placeWords(before, commands);
  const last = placed.at(-1);
  if (last !== undefined && (last.end === cursor || last.word.open)) return last;
  const probe = placeWords(`${before}x`, commands).at(-1);
  const role: Role =
    probe === undefined
      ? { kind: "command", typed: "", afterPipe: false }
      : probe.role.kind === "command"
        ? { ...probe.role, typed: "" }
        : probe.role;
  return {
    role,
    start: cursor,
    end: cursor,
    word: { start: cursor, end: cursor, value: "", elementStart: cursor, element: "", quote: "", open: false },
  };
};
