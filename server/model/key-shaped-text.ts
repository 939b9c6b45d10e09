import { guidPattern } from "./guid.ts";
import { isGroupValue } from "./recovery-password.ts";

/** Groups that make a text one that holds a key: half of a recovery password. With less, 2^80 keys are left to try. */
const enough = 4;
/** Digits of a group, and groups of a whole recovery password. */
const groupDigits = 6;
const groups = 8;
const numbersOfTwo = /(?<![0-9])[0-9]{1,2}(?![0-9])/g;
/** As they stand before an item: `1.`, `1)`, `1:`, `1=`, `1/8`, `1st`, `#1`, `Group 1`, `1 -` at the beginning of a line or item. */
const listNumbers =
  /(?<![0-9])[0-9]{1,2}(?:(?:[.):\]=]|[-=]>)(?=\s)|\/8|(?:st|nd|rd|th)(?![A-Za-z]))|(?:#|\p{L}\s?)[0-9]{1,2}(?![0-9])|(?:^|[;,])[ \t]{0,8}[0-9]{1,2}(?=[ \t]{1,8}-\s)/gmu;
/** Groups of a key that a list of names or the parameters of a line hold together: with fewer, a long list of computers would hold one by chance. */
const enoughOfNames = 6;

/**
 * Signs for digits that Unicode doesn't take for equal to them: circled twice, in negative and without serifs, Ethiopic and Hangzhou.
 * First sign, its value, how many. A ten is a number of its own.
 */
const signs: readonly (readonly [number, number, number])[] = [
  [0x24f5, 1, 9],
  [0x24ff, 0, 1],
  [0x2776, 1, 9],
  [0x2780, 1, 9],
  [0x278a, 1, 9],
  [0x1f10b, 0, 1],
  [0x1f10c, 0, 1],
  [0x1369, 1, 9],
  [0x3021, 1, 9],
];
const hanDigits = "〇一二三四五六七八九";
const signValues: ReadonlyMap<string, string> = new Map([
  ...signs.flatMap(([first, value, count]) =>
    Array.from({ length: count }, (_, at) => [String.fromCodePoint(first + at), String(value + at)] as const),
  ),
  ...Array.from(hanDigits, (sign, value) => [sign, String(value)] as const),
  ["零", "0"],
]);

/** Words of six or more that are digits but for letters which look like one: as text recognition reads them. */
const misreadDigits = /(?<![\p{L}\p{Nd}])(?=(?:[OoIl|]?[0-9]+){2})[0-9OoIl|]{6,}(?![\p{L}\p{Nd}])/gu;
const lookAlikes: Readonly<Record<string, string>> = { O: "0", o: "0", I: "1", l: "1", "|": "1" };

/** The digits' values in a text of decimal digits of any script; Unicode keeps each ten together, in order (UAX #44). */
const digitValue = (character: string): number => {
  const code = character.codePointAt(0) ?? 0;
  if (code <= 0x39) return code - 0x30;
  let before = 0;
  // Two tens may touch (U+116D0 to U+116E3).
  while (before < 50 && /^\p{Nd}$/u.test(String.fromCodePoint(code - before - 1))) before += 1;
  return before % 10;
};

const asDigits = (word: string): string => word.replace(/[OoIl|]/g, (letter) => lookAlikes[letter] ?? letter);

/**
 * ASCII digits for those of every script, in the form that Unicode takes for equal (NFKC: full-width, circled, raised). What is
 * one sign (`①`, `⑫`) stays a number of its own.
 */
const withPlainDigits = (text: string): string => {
  if (/^[\u0000-\u007f]*$/.test(text)) return text.replace(misreadDigits, asDigits);
  const known = new Map<string, string>();
  const plain = (digit: string): string => {
    const value = known.get(digit) ?? String(digitValue(digit));
    known.set(digit, value);
    return value;
  };
  return text
    .replace(/[\p{No}\p{Nl}\p{Script=Han}]/gu, (sign) => signValues.get(sign) ?? ` ${sign} `)
    .normalize("NFKC")
    .replace(/(?![0-9])\p{Nd}/gu, plain)
    .replace(misreadDigits, asDigits);
};

/**
 * Key ids and digests (of 128 to 512 bits) in hexadecimal digits: their decimal ones mean nothing, and 200 key ids would hold a key
 * by chance. A word without a letter is none, nor is one in which half a key's groups less one could stand together.
 */
const codes = new RegExp(
  `(?<![0-9A-Za-z])(?:${guidPattern}|(?:[0-9A-Fa-f]{8}){4,5}|(?:[0-9A-Fa-f]{32}){2,4}|[0-9A-Fa-f]{56})(?![0-9A-Za-z])`,
  "g",
);
const isCode = (word: string): boolean => /[A-Fa-f]/.test(word) && !/[0-9]{18}/.test(word.replaceAll("-", ""));

const withoutCode = (word: string): string => (isCode(word) ? " " : word);
const guids = new RegExp(guidPattern, "g");

/** Counts valid groups of six in joined digits, at every offset: do `most` follow each other? Linear. */
const hasGroupsInRow = (digits: string, most: number): boolean => {
  const inRow = [0, 0, 0, 0, 0, 0];
  let value = 0;
  for (let at = 0; at < digits.length; at += 1) {
    value = (value % 100_000) * 10 + (digits.charCodeAt(at) - 0x30);
    if (at < groupDigits - 1) continue;
    const offset = at % groupDigits;
    const now = isGroupValue(value) ? (inRow[offset] ?? 0) + 1 : 0;
    if (now >= most) return true;
    inRow[offset] = now;
  }
  return false;
};

/**
 * Whole groups in order, with any words and any numbers of other lengths between: numbering, times, telephone numbers, and groups whose
 * leading zero is lost. Of eight groups that nothing of this parts, some may be misread: one more must be right.
 */
const hasWholeGroups = (text: string, most: number): boolean => {
  let inRow = 0;
  /** Groups without a word between: valid or not, the last eight. */
  let unparted: boolean[] = [];
  let before = 0;
  for (const { 0: digits, index } of text.matchAll(/[0-9]+/g)) {
    if (/\p{L}/u.test(text.slice(before, index))) unparted = [];
    before = index + digits.length;
    if (digits.length !== groupDigits) {
      if (digits.length > 2) unparted = [];
      continue;
    }
    const valid = isGroupValue(Number(digits));
    inRow = valid ? inRow + 1 : 0;
    unparted = [...unparted, valid].slice(-groups);
    if (inRow >= most || unparted.filter((each) => each).length > most) return true;
  }
  return false;
};

const holdsGroups = (asWritten: string, most: number): boolean => {
  const plain = withPlainDigits(asWritten);
  if (plain.length < most * groupDigits) return false;
  if (hasWholeGroups(plain.replace(guids, withoutCode), most)) return true;
  const numbers = plain.replace(codes, withoutCode);
  // Joined as they are, then without list numbers: `1) 123 456 2) 234 567`, `1. 12 34 56 2. 23 45 67`.
  return [numbers, numbers.replace(numbersOfTwo, " "), numbers.replace(listNumbers, " ")].some((text) =>
    hasGroupsInRow(text.replace(/[^0-9]+/g, ""), most),
  );
};

/**
 * Does this text hold a recovery key, or half of one, however it is written? Digits of every script count; separators, words
 * and list numbers don't. README.md has the rule, and how often it is wrong.
 */
export const holdsKey = (text: string): boolean => holdsGroups(text, enough);

/** Whether a key was begun: one group less. */
const beginsKey = (text: string): boolean => holdsGroups(text, enough - 1);

/** What stands for a digit where a key was masked. */
const mask = "•";

/** Whether a mask has been at a text: it held a key, or most of one, when it was typed. One dot may be a list's. */
export const wasMasked = (text: string): boolean => text.split(mask).length > 2;

/**
 * Whether the value of a parameter, one text or a list of them, holds a key, or did before it was masked. Those of a list that have
 * no letter may be a key's groups.
 */
export const valueHoldsKey = (texts: readonly string[]): boolean => {
  if (texts.some((text) => holdsKey(text) || wasMasked(text))) return true;
  const runs = texts.map((text) => (/\p{L}/u.test(text) ? "x" : text)).join(",");
  return runs.split("x").some(holdsKey) || namesHoldKey(texts);
};

/** Whether texts that are none alone hold most of a key together: the names of a list, or all parameters of a line. */
export const namesHoldKey = (texts: readonly string[]): boolean => holdsGroups(texts.join(", "), enoughOfNames);

const isDigit = (character: string): boolean => /\p{Nd}/u.test(character.normalize("NFKC"));

/** A `•` for each digit of a text, of every script. The length in UTF-16 units stays. */
export const maskDigits = (text: string): string =>
  text.replace(/[0-9]|[^\u0000-\u007f]/gu, (character) =>
    isDigit(character) ? mask.repeat(character.length) : character,
  );

/** The text as it may be shown and recorded: one that holds a key loses every digit, as part of a key tells the rest. */
export const maskKey = (text: string): string => (holdsKey(text) ? maskDigits(text) : text);

/** A line that is being typed, as it may be echoed: the rest of a key that was begun may follow. */
export const maskBegunKey = (text: string): string => (beginsKey(text) ? maskDigits(text) : text);
