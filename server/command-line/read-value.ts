import { findUnprintable } from "../model/harmless-text.ts";
import { isBlank, isDash, isDoubleQuote, isQuote, isSingleQuote } from "./characters.ts";
import { refuseLanguage, scriptsNotAllowed, syntax, tooMuch } from "./refusals.ts";

/** Where the reader stands in a line. Every reader below moves it on by at least one character or throws: linear work. */
export interface Cursor {
  readonly line: string;
  at: number;
}

/** One text, or several with commas between. */
export type Value = string | readonly string[];

export const maximumValueLength = 1024;
export const maximumListLength = 200;

export const peek = (cursor: Cursor, ahead = 0): string => cursor.line.charAt(cursor.at + ahead);

export const skipBlanks = (cursor: Cursor): void => {
  while (isBlank(peek(cursor))) cursor.at += 1;
};

/** The end of the line, a blank, a comma or a pipe: what ends a word. */
const isBoundary = (character: string): boolean =>
  character === "" || character === "," || character === "|" || isBlank(character);

/** A dash with a letter after it begins a parameter, as in PowerShell; with a digit it is a value. */
export const startsParameter = (cursor: Cursor): boolean => isDash(peek(cursor)) && !/^[0-9.]$/.test(peek(cursor, 1));

/** about_Special_Characters. Those that would make a control character are refused with every other control character. */
const escapes: Readonly<Record<string, string>> = {
  "0": "\0",
  a: "\u0007",
  b: "\b",
  e: "\u001b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

const readEscape = (cursor: Cursor): string => {
  const character = peek(cursor, 1);
  if (character === "") throw syntax("The line ends in a backtick: a command can't go on in a next line.");
  const unicode =
    character === "u" ? /^`u\{([0-9a-fA-F]{1,6})\}/.exec(cursor.line.slice(cursor.at, cursor.at + 10)) : null;
  if (unicode === null && character === "u" && peek(cursor, 2) === "{") {
    throw syntax("A Unicode escape is `u{…} with one to six hexadecimal digits.");
  }
  const codePoint = unicode === null ? undefined : Number.parseInt(unicode[1] ?? "", 16);
  if (codePoint !== undefined && codePoint > 0x10ffff) throw syntax("A Unicode escape goes up to `u{10FFFF}.");
  const text =
    codePoint === undefined
      ? Object.hasOwn(escapes, character)
        ? (escapes[character] ?? "")
        : character
      : String.fromCodePoint(codePoint);
  if (findUnprintable(text) !== undefined)
    throw syntax("A value can't hold control characters or invisible ones, escaped or not.");
  cursor.at += unicode === null ? 2 : unicode[0].length;
  return text;
};

const readSingleQuoted = (cursor: Cursor): string => {
  cursor.at += 1;
  let text = "";
  for (;;) {
    const character = peek(cursor);
    if (character === "")
      throw syntax("A single quote is open: end the text with ', and write '' for a quote inside it.");
    cursor.at += 1;
    if (isSingleQuote(character)) {
      if (!isSingleQuote(peek(cursor))) return text;
      cursor.at += 1;
    }
    text += character;
  }
};

const readDoubleQuoted = (cursor: Cursor): string => {
  cursor.at += 1;
  let text = "";
  for (;;) {
    const character = peek(cursor);
    if (character === "")
      throw syntax('A double quote is open: end the text with ", and write `" for a quote inside it.');
    if (character === "`") {
      text += readEscape(cursor);
    } else if (character === "$") {
      // PowerShell leaves a dollar alone where no name follows. Refused everywhere: nobody should have to know where.
      throw scriptsNotAllowed("variable");
    } else {
      cursor.at += 1;
      if (isDoubleQuote(character)) {
        if (!isDoubleQuote(peek(cursor))) return text;
        cursor.at += 1;
      }
      text += character;
    }
  }
};

const readQuoted = (cursor: Cursor): string =>
  isSingleQuote(peek(cursor)) ? readSingleQuoted(cursor) : readDoubleQuoted(cursor);

/**
 * manage-bde prints key ids in braces, and ssh's local shell eats the quotes around them: an id alone in braces is a
 * value. PowerShell would read a script block that holds nothing to run.
 */
const bracedId = /\{[0-9A-Fa-f\u2010-\u2015\u2212-]{8,36}\}/y;

const readBraced = (cursor: Cursor): string => {
  bracedId.lastIndex = cursor.at;
  const id = bracedId.exec(cursor.line)?.[0];
  if (id === undefined || !isBoundary(peek(cursor, id.length))) throw scriptsNotAllowed("block");
  cursor.at += id.length;
  return id;
};

const readBare = (cursor: Cursor): string => {
  let text = "";
  while (!isBoundary(peek(cursor))) {
    const character = peek(cursor);
    if (character === "`") {
      text += readEscape(cursor);
    } else if (isQuote(character)) {
      text += readQuoted(cursor);
    } else {
      refuseLanguage(cursor.line, cursor.at);
      text += character;
      cursor.at += 1;
    }
  }
  return text;
};

const readOne = (cursor: Cursor): string => {
  const first = peek(cursor);
  if (first === "{") return readBraced(cursor);
  if (first === "@") throw scriptsNotAllowed("splat");
  if (first === "#") throw scriptsNotAllowed("comment");
  if (!isQuote(first)) return readBare(cursor);
  const text = readQuoted(cursor);
  if (!isBoundary(peek(cursor))) {
    // PowerShell makes two arguments of "a"b. Nobody means that, so it is refused rather than guessed.
    refuseLanguage(cursor.line, cursor.at);
    throw syntax("A quoted value must be followed by a space or a comma.");
  }
  return text;
};

/** Reads one value or a list with commas; blanks around commas are allowed, as in PowerShell. */
export const readValue = (cursor: Cursor): Value => {
  const texts: string[] = [];
  for (;;) {
    if (peek(cursor) === "," || peek(cursor) === "" || peek(cursor) === "|") {
      throw syntax("A value is missing beside a comma.");
    }
    if (texts.length > 0 && startsParameter(cursor)) {
      throw syntax("A value is missing after a comma; a value that begins with a dash is put in quotes.");
    }
    const text = readOne(cursor);
    if (text.length > maximumValueLength) throw tooMuch(`A value has at most ${maximumValueLength} characters.`);
    texts.push(text);
    if (texts.length > maximumListLength) throw tooMuch(`A list has at most ${maximumListLength} values.`);
    skipBlanks(cursor);
    if (peek(cursor) !== ",") break;
    cursor.at += 1;
    skipBlanks(cursor);
  }
  const [only] = texts;
  return texts.length === 1 && only !== undefined ? only : texts;
};
