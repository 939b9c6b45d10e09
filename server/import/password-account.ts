import { canonicalRecoveryPassword } from "../model/recovery-password.ts";
import { plainText } from "../model/pasted-text.ts";

const password = /\d{6}(?:[ \t]?-?[ \t]?\d{6}){7}(?!\d)/y;
/** Broken over lines by a narrow console, a mail, or LDIF's folding: whole groups, then the rest on up to three lines. */
const wrapped = /(?<![\d-])(?:\d{6}-){1,7}\d{0,6}(?:\n[> \t]*-?\d[\d-]*){1,3}/g;
const lineBreak = /\n[> \t]*/;
const passwordLength = 55;

export interface FoundPassword {
  /** In its one stored form. */
  readonly password: string;
  readonly index: number;
  readonly length: number;
}

/** Joins lines until they make a password, so that digits of a line below don't spoil it. */
const unwrap = (found: string): string | undefined => {
  const [first = "", ...others] = found.split(lineBreak);
  if (first.length >= passwordLength) return undefined;
  let joined = first;
  for (const part of others) {
    joined += part;
    if (joined.length < passwordLength) continue;
    return joined.length === passwordLength ? canonicalRecoveryPassword(joined) : undefined;
  }
  return undefined;
};

const isDigitOrHyphen = (code: number): boolean => (code >= 48 && code <= 57) || code === 45;
const isFolding = (code: number): boolean => code === 32 || code === 9 || code === 62;

/** Whether a digit or hyphen stands on both sides of a line's end: in most texts nowhere, and looking is quick. */
const mayBeWrapped = (text: string): boolean => {
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) {
    if (at === 0 || !isDigitOrHyphen(text.charCodeAt(at - 1))) continue;
    let next = at + 1;
    while (isFolding(text.charCodeAt(next))) next += 1;
    if (isDigitOrHyphen(text.charCodeAt(next))) return true;
  }
  return false;
};

const isDigit = (code: number): boolean => code >= 48 && code <= 57;
const groupDigits = 6;
const allDigits = 48;

/** Groups may stand apart in different ways, which the one stored form doesn't know. */
const canonical = (match: string): string | undefined =>
  canonicalRecoveryPassword(match) ?? canonicalRecoveryPassword(match.replace(/\D/g, ""));

/**
 * Those that no line's end cuts. Any six digits in a row cover one of each six places, so only those are looked at: a regular
 * expression that looks at each character takes ten times as long.
 */
const standingPasswordsIn = (text: string): FoundPassword[] => {
  const found: FoundPassword[] = [];
  for (let at = groupDigits - 1; at < text.length;) {
    if (!isDigit(text.charCodeAt(at))) {
      at += groupDigits;
      continue;
    }
    let start = at;
    while (start > 0 && isDigit(text.charCodeAt(start - 1))) start -= 1;
    let end = at + 1;
    while (isDigit(text.charCodeAt(end))) end += 1;
    at = end + groupDigits;
    if (end - start !== groupDigits && end - start !== allDigits) continue;
    password.lastIndex = start;
    const [match] = password.exec(text) ?? [];
    const whole = match === undefined ? undefined : canonical(match);
    if (match === undefined || whole === undefined) continue;
    found.push({ password: whole, index: start, length: match.length });
    at = start + match.length + groupDigits;
  }
  return found;
};

/** The well-formed recovery passwords in a text, in its order; also those that a line's end cuts in two. */
export const recoveryPasswordsIn = (text: string): readonly FoundPassword[] => {
  const found = standingPasswordsIn(text);
  if (!mayBeWrapped(text)) return found;
  const unwrapped: FoundPassword[] = [];
  for (const { 0: match, index } of text.matchAll(wrapped)) {
    const whole = unwrap(match);
    if (whole !== undefined) unwrapped.push({ password: whole, index, length: match.length });
  }
  return unwrapped.length === 0 ? found : [...found, ...unwrapped].sort((left, right) => left.index - right.index);
};

/** A password with its hyphens and breaks is shorter than this. */
const longestTail = 200;
const inPassword = new Set("0123456789- \t\n>");

/** Where the end of a text begins that the next piece may make a password of. */
const tailOf = (text: string): number => {
  let at = text.length;
  while (at > 0 && text.length - at < longestTail && inPassword.has(text.charAt(at - 1))) at -= 1;
  return at;
};

const newlinesIn = (text: string, from: number, to: number): number => {
  let count = 0;
  for (let at = text.indexOf("\n", from); at !== -1 && at < to; at = text.indexOf("\n", at + 1)) count += 1;
  return count;
};

interface OpenPassword {
  readonly password: string;
  /** From 1. */
  readonly line: number;
}

/**
 * Sees every well-formed recovery password of a file before its reader does. One that the reader neither stored nor told
 * of is still open at the end: no reader can lose a key without a word. It remembers only what the reader has not come to.
 */
export class PasswordAccount {
  /** In the order of the file, in which readers mostly speak of them: comparing with the next one needs no hash of each. */
  #ahead: OpenPassword[] = [];
  #next = 0;
  /** The line where each other password that is open stands first. */
  readonly #open = new Map<string, number>();
  #line = 1;

  /** The same text; each piece is given on only when the passwords in it are on the account. */
  async *watch(pieces: AsyncIterable<string>): AsyncGenerator<string> {
    let rest = "";
    for await (const piece of pieces) {
      const text = rest + piece;
      const cut = tailOf(text);
      rest = text.slice(cut);
      const whole = text.slice(0, cut);
      this.#take(whole);
      if (whole !== "") yield whole;
    }
    this.#take(rest);
    if (rest !== "") yield rest;
  }

  #take(piece: string): void {
    this.#ahead = this.#ahead.slice(this.#next);
    this.#next = 0;
    const text = plainText(piece);
    let from = 0;
    for (const { password: found, index } of recoveryPasswordsIn(text)) {
      this.#line += newlinesIn(text, from, index);
      from = index;
      this.#ahead.push({ password: found, line: this.#line });
    }
    this.#line += newlinesIn(text, from, text.length);
  }

  /** From here on the order says nothing. A password that was spoken of is not open where it stands again, either. */
  #leaveOrder(): void {
    if (this.#ahead.length === 0) return;
    const settled = new Set(this.#ahead.slice(0, this.#next).map(({ password: found }) => found));
    for (const { password: found, line } of this.#ahead.slice(this.#next)) {
      if (!settled.has(found) && !this.#open.has(found)) this.#open.set(found, line);
    }
    this.#ahead = [];
    this.#next = 0;
  }

  /** The reader has stored the passwords in `text`, or told what is wrong with them. */
  settle(text: string): void {
    if (this.#ahead[this.#next]?.password === text) {
      this.#next += 1;
      if (this.#open.size > 0) this.#open.delete(text);
      return;
    }
    this.#leaveOrder();
    if (this.#open.delete(text)) return;
    const whole = canonicalRecoveryPassword(text);
    if (whole !== undefined) this.#open.delete(whole);
    else for (const { password: found } of recoveryPasswordsIn(plainText(text))) this.#open.delete(found);
  }

  /** Where the first password in `text` stands that nobody has spoken of. */
  lineOf(text: string): number | undefined {
    for (const { password: found } of recoveryPasswordsIn(plainText(text))) {
      // The next ones are looked at first, so this is mostly short.
      for (let at = this.#next; at < this.#ahead.length; at += 1) {
        const ahead = this.#ahead[at];
        if (ahead?.password === found) return ahead.line;
      }
      const line = this.#open.get(found);
      if (line !== undefined) return line;
    }
    return undefined;
  }

  /** Lines of the passwords nobody has spoken of. */
  get openLines(): readonly number[] {
    this.#leaveOrder();
    return [...new Set(this.#open.values())].sort((left, right) => left - right);
  }
}
