import { stripVTControlCharacters } from "node:util";
import { decodeGuid } from "../model/guid.ts";
import { namesComputer } from "./column-names.ts";
import { plainText } from "../model/pasted-text.ts";
import { readLines, type Line } from "./lines.ts";

/** `> ` before each line of a quoted mail (RFC 3676 §4.5). */
const quoted = /^(?:[ \t]*>)+[ \t]?/;

/** No console, mail or ticket has longer lines with a key in them; the patterns that read them are not made for more. */
const longestLine = 1000;

const withoutColours = (text: string): string => (text.includes("\u001B") ? stripVTControlCharacters(text) : text);

/**
 * Lines as a keyboard would have written them, without a mail's quoting and a console's colours. Longer lines come as empty
 * ones: they are other text, and the account has their keys.
 */
export async function* readTextLines(pieces: AsyncIterable<string>): AsyncGenerator<readonly Line[]> {
  for await (const batch of readLines(pieces)) {
    yield batch.map(({ number, text }) => ({
      number,
      text: text.length > longestLine ? "" : plainText(withoutColours(text)).replace(quoted, "").trimEnd(),
    }));
  }
}

/** A recovery password that the line's end cuts: whole groups, then the beginning of one. */
const cutPassword = /(?<![\d-])(?:\d{6}-){1,7}\d{0,6}$/;
const restOfPassword = /^-?\d[\d-]*/;
/** A GUID that the line's end cuts. */
const cutGuid = /(?<![\w-])(?:\{[0-9A-F]{1,8}|\{?[0-9A-F]{8}-[0-9A-F-]{0,27})$/i;
const restOfGuid = /^[0-9A-F-]+\}?$/i;
const lastWord = /\S+$/;
const named = /^(\s*([^:]{1,40}?)\s*: )\S+$/;
const mostJoined = 4;
/** No window is narrower than this. */
const narrowest = 24;

/** Whether the line's end cuts what stands there, and a line below may go on with it. */
const isCut = (text: string): boolean =>
  cutPassword.test(text) || cutGuid.test(text) || namesComputer(named.exec(text)?.[2] ?? "");

/** @returns undefined when `next` doesn't go on with `text` */
const join = (text: string, next: string): string | undefined => {
  const rest = next.trimStart();
  if (cutPassword.test(text)) return restOfPassword.test(rest) ? text + rest : undefined;
  if (cutGuid.test(text)) return restOfGuid.test(rest) ? text + rest : undefined;
  if (!/^[^\s:]+$/.test(rest)) return undefined;
  // Format-List sets what it broke below the value.
  const indent = next.length - rest.length;
  if (indent > 0) return indent === named.exec(text)?.[1]?.length ? text + rest : undefined;
  // A heading of Format-Table goes on at the margin, where a word of its own may stand as well: no name is told then.
  return text.length >= narrowest && /^[\p{L}\p{N}._-]+$/u.test(rest) ? `${text}…${rest}` : undefined;
};

/** A GUID is joined only when it becomes whole: an id of few digits may stand above a line of its own. */
const isJoinedRightly = (text: string, first: string): boolean =>
  !cutGuid.test(first) || decodeGuid(lastWord.exec(text)?.[0].replace(/^[^{0-9A-F]+/i, "") ?? "") !== undefined;

/** Puts ids, recovery passwords and computers' names on one line that a narrow console had broken. */
export class LineJoiner {
  #held: Line[] = [];
  #text = "";

  /** @returns the lines that are whole now */
  take(line: Line): readonly Line[] {
    const joined = this.#held.length === 0 || this.#held.length > mostJoined ? undefined : join(this.#text, line.text);
    if (joined === undefined) return [...this.end(), ...this.#begin(line)];
    this.#held.push(line);
    this.#text = joined;
    return isCut(joined) ? [] : this.end();
  }

  /** @returns what was held for a line that didn't come */
  end(): readonly Line[] {
    const held = this.#held;
    this.#held = [];
    const [first] = held;
    if (first === undefined || held.length === 1) return held;
    return isJoinedRightly(this.#text, first.text) ? [{ number: first.number, text: this.#text }] : held;
  }

  #begin(line: Line): readonly Line[] {
    if (!isCut(line.text)) return [line];
    this.#held = [line];
    this.#text = line.text;
    return [];
  }
}
