import type { BoundCommand, CommandDefinition, CommandResult } from "../command/define-command.ts";
import type { RawParameters } from "../command/parameters.ts";
import type { Word } from "../command-line/parse.ts";
import { Ambiguous, EndpointError, Refusal } from "../errors.ts";
import { accepts } from "./role-entry.ts";
import type { RoleEntry } from "./role-entry.ts";

/** A line's first word, read as one parameter's value and as another's. */
interface Readings {
  readonly word: string;
  readonly first: string;
  readonly second: string;
}

/** Where the first word is a value without a name: the parameter that it went to, and the one that it may be meant for. */
const findReadings = (
  { parameters }: CommandDefinition,
  raw: RawParameters,
  [word]: readonly Word[],
): Readings | undefined => {
  if (word?.kind !== "value") return undefined;
  for (const [first, { elseReadAs: second }] of parameters) {
    if (second === undefined || raw.get(first) !== word.value || raw.has(second)) continue;
    return { word: typeof word.value === "string" ? word.value : word.value.join(","), first, second };
  }
  return undefined;
};

const isNotFound = (error: unknown): error is EndpointError =>
  error instanceof EndpointError && error.category === "ObjectNotFound" && !(error instanceof Ambiguous);

/** The first reading, where it finds something, be it too much; else the second. */
const inTurn = (first: BoundCommand, second: BoundCommand, { word, ...read }: Readings): BoundCommand => ({
  ...first,
  run: async (context) => {
    const tellOfOther = (): Promise<void> =>
      context.tell(`It was read as -${read.first}. To read it as -${read.second}, write: -${read.second} ${word}`);
    let found: CommandResult;
    try {
      found = await first.run(context);
    } catch (error) {
      if (error instanceof Ambiguous) await tellOfOther();
      if (!isNotFound(error)) throw error;
      found = await second.run(context).catch((cause: unknown) => {
        if (!isNotFound(cause)) throw cause;
        const both = `It was read as -${read.first} and as -${read.second}.`;
        throw new EndpointError("ObjectNotFound", `${both} ${cause.message}`, { cause });
      });
      await context.tell(`-${read.first} finds nothing there, so it was read as -${read.second}.`);
      return found;
    }
    await tellOfOther();
    return found;
  },
});

/**
 * A command that looks a second time, by another parameter, where the first word means nothing by the one of its place: the recovery screen
 * shows eight digits, and whoever types them first need not know a parameter. Only where the entry that accepts the line accepts it so
 * read too: the second reading asks for nothing that could not be typed. Not where another person approves the line, who approves one reading.
 */
export const withSecondReading = (
  definition: CommandDefinition,
  {
    raw,
    words,
    command,
  }: { readonly raw: RawParameters; readonly words: readonly Word[]; readonly command: BoundCommand },
  entry: RoleEntry,
): BoundCommand => {
  const readings = entry.rules.requireApproval ? undefined : findReadings(definition, raw, words);
  const value = readings && raw.get(readings.first);
  if (readings === undefined || value === undefined) return command;
  const other = new Map(raw);
  other.delete(readings.first);
  other.set(readings.second, value);
  try {
    const second = definition.bind(other);
    return accepts(entry, second.texts) ? inTurn(command, second.command, readings) : command;
  } catch (error) {
    if (error instanceof Refusal) return command;
    throw error;
  }
};
