/**
 * A forgiving reader of the command line being typed: for completion and hints only. The server's reader decides; this
 * one never refuses, and a difference between the two costs a wrong hint, nothing else.
 */
export interface Word {
  readonly start: number;
  /** After the last character, quotes included. */
  readonly end: number;
  /** Without quotes and escapes. */
  readonly value: string;
  /** Commas outside quotes: where the next element of a list begins. */
  readonly elementStart: number;
  /** The unquoted text from `elementStart` on. */
  readonly element: string;
  /** The quote the element was opened with, also when it is closed. */
  readonly quote: "" | "'" | '"';
  /** Ends inside quotes that aren't closed. */
  readonly open: boolean;
}

/** The parts of a line between pipes. */
export type Pipeline = readonly (readonly Word[])[];

const singleQuotes = /['‘’‚‛]/;
const doubleQuotes = /["“”„]/;

export const readWords = (line: string): Pipeline => {
  const segments: Word[][] = [[]];
  let at = 0;
  while (at < line.length) {
    const first = line[at] ?? "";
    if (/\s/.test(first)) {
      at += 1;
      continue;
    }
    if (first === "|") {
      segments.push([]);
      at += 1;
      continue;
    }
    const start = at;
    let value = "";
    let elementStart = at;
    let element = "";
    let quote: Word["quote"] = "";
    let inside: "" | "'" | '"' = "";
    const take = (text: string): void => {
      value += text;
      element += text;
    };
    for (; at < line.length; at += 1) {
      const character = line[at] ?? "";
      const next = line[at + 1] ?? "";
      if (inside === "") {
        if (/[\s|]/.test(character)) break;
        if (character === ",") {
          value += character;
          elementStart = at + 1;
          element = "";
          quote = "";
        } else if (singleQuotes.test(character) || doubleQuotes.test(character)) {
          inside = singleQuotes.test(character) ? "'" : '"';
          if (element === "") quote = inside;
        } else if (character === "`" && next !== "") {
          take(next);
          at += 1;
        } else take(character);
        continue;
      }
      const closes = (inside === "'" ? singleQuotes : doubleQuotes).test(character);
      if (closes && (inside === "'" ? singleQuotes : doubleQuotes).test(next)) {
        take(character);
        at += 1;
      } else if (closes) inside = "";
      else if (inside === '"' && character === "`" && next !== "") {
        take(next);
        at += 1;
      } else take(character);
    }
    segments.at(-1)?.push({ start, end: at, value, elementStart, element, quote, open: inside !== "" });
  }
  return segments;
};

/** A value as it must be typed: quoted only when it has to be, with the quotes that the person already opened. */
export const quoted = (value: string, opened: Word["quote"]): string => {
  if (opened === '"') return `"${value.replace(/[`"$“”„]/g, "`$&")}"`;
  if (opened === "'" || !/^[\p{L}\p{N}_.:/\\*?+=-]+$/u.test(value) || value.startsWith("-"))
    return `'${value.replace(/['‘’‚‛]/g, "$&$&")}'`;
  return value;
};
