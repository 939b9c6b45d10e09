import type { RawParameters, RawValue } from "../command/parameters.ts";
import type { Parameter } from "../command/parameters.ts";
import { Refusal } from "../errors.ts";
import type { Word } from "../command-line/parse.ts";

const refuse = (command: string, message: string): Refusal =>
  new Refusal("InvalidArgument", message, { reason: "parameter", command });

const namesOf = (names: Iterable<string>): string => [...names].map((name) => `-${name}`).join(", ");

/**
 * A typed parameter name → its whole name, by an unambiguous prefix. Only names this user may give take part: a hidden
 * parameter neither answers to a prefix nor makes one ambiguous, and is refused in the words of one that does not exist.
 */
const findName = (command: string, typed: string, visible: ReadonlyMap<string, Parameter<unknown>>): string => {
  const lower = typed.toLowerCase();
  const names = [...visible.keys()];
  const whole = names.find((name) => name.toLowerCase() === lower);
  if (whole !== undefined) return whole;
  const [first, ...others] = names.filter((name) => name.toLowerCase().startsWith(lower));
  if (first === undefined) {
    throw refuse(
      command,
      names.length === 0
        ? `${command} takes no parameters.`
        : `${command} has no such parameter. You may give: ${namesOf(names)}.`,
    );
  }
  if (others.length > 0) {
    throw refuse(command, `That parameter is ambiguous: it may be ${namesOf([first, ...others])}.`);
  }
  return first;
};

/**
 * Words → values by whole parameter names, as PowerShell binds them: named ones first, then values without a name to the
 * positions that are left.
 *
 * @throws Refusal InvalidArgument
 */
export const bindParameters = (
  command: string,
  visible: ReadonlyMap<string, Parameter<unknown>>,
  words: readonly Word[],
): RawParameters => {
  const raw = new Map<string, RawValue>();
  const unnamed: RawValue[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at];
    if (word === undefined) break;
    if (word.kind === "value") {
      unnamed.push(word.value);
      continue;
    }
    const name = findName(command, word.name, visible);
    if (raw.has(name)) throw refuse(command, `-${name} is given twice; several values are written with commas.`);
    if (visible.get(name)?.shape === "switch") {
      if (word.attached !== undefined) {
        throw refuse(command, `-${name} is a switch: write it alone for yes, and leave it out for no.`);
      }
      raw.set(name, true);
      continue;
    }
    const next = words[at + 1];
    if (word.attached !== undefined) {
      raw.set(name, word.attached);
    } else if (next?.kind === "value") {
      raw.set(name, next.value);
      at += 1;
    } else {
      throw refuse(command, `-${name} needs a value; one that begins with a dash is put in quotes.`);
    }
  }
  const positions = [...visible]
    .flatMap(([name, { position }]) => (position === undefined || raw.has(name) ? [] : [{ name, position }]))
    .sort((a, b) => a.position - b.position);
  unnamed.forEach((value, index) => {
    const place = positions[index];
    if (place === undefined) {
      throw refuse(
        command,
        `One value has no parameter before it.${
          visible.size === 0 ? ` ${command} takes no parameters.` : ` You may give: ${namesOf(visible.keys())}.`
        } A value with blanks is put in quotes.`,
      );
    }
    raw.set(place.name, value);
  });
  return raw;
};
