import stringWidth from "string-width";
import { digitsPerGroup, groupsOf, type GroupVerdict } from "../../../model/read-back.ts";
import type { TerminalSize } from "../../contract.ts";
import { label, trustedMark } from "../screen-text.ts";
import { bigDigitColumns, bigDigits } from "./big-digits.ts";

/** One key as a person reads it to somebody, and what was read back so far. */
export interface CardState {
  readonly endpointName: string;
  readonly key: string;
  readonly keyId: string;
  readonly computerName: string;
  /** What else is known of it, name and value. */
  readonly facts: readonly (readonly [name: string, value: string])[];
  readonly large: boolean;
  /** Digits in pairs. */
  readonly pairs: boolean;
  /** The key id in words of the telephone. */
  readonly words: boolean;
  readonly readBack: ReadBack;
  readonly secondsLeft: number;
  /** What the server had to say meanwhile; empty: nothing. */
  readonly notice: string;
}

export interface ReadBack {
  /** Of the groups that are through, in order. */
  readonly right: number;
  /** Digits of the group under way. */
  readonly typed: string;
  /** Of the group that was read back last, where it was wrong. */
  readonly wrong: GroupVerdict | undefined;
  readonly wrongTimes: number;
}

export const mostWrongGroups = 20;
export const groupCount = 8;

/** Spelling alphabet of ICAO (Annex 10, volume II, 5.2.1.3), as far as a GUID has letters. */
const words: Readonly<Record<string, string>> = {
  A: "Alfa",
  B: "Bravo",
  C: "Charlie",
  D: "Delta",
  E: "Echo",
  F: "Foxtrot",
  "0": "zero",
  "1": "one",
  "2": "two",
  "3": "three",
  "4": "four",
  "5": "five",
  "6": "six",
  "7": "seven",
  "8": "eight",
  "9": "nine",
};

/** What the recovery screen shows of a key id: its first eight characters. */
const begin = (keyId: string): string => keyId.slice(0, 8);

const inWords = (keyId: string): string => Array.from(begin(keyId), (each) => words[each] ?? each).join(" ");

const sentenceOf = (wrong: GroupVerdict, group: number): string => {
  switch (wrong.kind) {
    case "right":
      return "";
    case "impossible":
      return `Group ${group}: wrong. No key has such a group, so a digit was misread.`;
    case "misplaced":
      return `Group ${group}: wrong. That is group ${wrong.group}.`;
    case "foreign":
      return `Group ${group}: wrong. It is of another key, or misread.`;
  }
};

const readBackLine = ({ right, typed, wrong }: ReadBack): string => {
  if (right === groupCount) return "All eight groups were read back right.";
  const group = right + 1;
  if (typed === "" && wrong !== undefined) return `${sentenceOf(wrong, group)} Type it again.`;
  return `Read back, group ${group}: ${typed.padEnd(digitsPerGroup, "_")}`;
};

/** What stands under a group: whether it was read back. */
const markOf = (group: number, { right, wrong, typed }: ReadBack): string => {
  if (group < right) return "ok";
  if (group > right) return "";
  return wrong !== undefined && typed === "" ? "wrong" : "?";
};

interface GroupLook {
  /** Between two groups. */
  readonly gap: number;
  readonly width: number;
  readonly rows: (digits: string) => readonly string[];
}

const largeLook: GroupLook = {
  // Two are seen well between characters so large, and four groups fit 100 columns.
  gap: 2,
  width: digitsPerGroup * (bigDigitColumns + 1) - 1,
  rows: bigDigits,
};
const plainLook = (pairs: boolean): GroupLook => ({
  gap: 3,
  width: pairs ? digitsPerGroup + 2 : digitsPerGroup,
  rows: (digits) => [pairs ? digits.replace(/(..)(?=.)/g, "$1 ") : digits],
});

const perRowOf = ({ width, gap }: GroupLook, columns: number): number =>
  [8, 4, 3, 2, 1].find((count) => count * width + (count - 1) * gap <= columns) ?? 1;

const pad = (text: string, width: number): string => text.padEnd(width);

/** Groups in rows, each under its number. */
const layGroups = (key: string, readBack: ReadBack, look: GroupLook, columns: number): readonly string[] => {
  const groups = groupsOf(key);
  const perRow = perRowOf(look, columns);
  const between = " ".repeat(look.gap);
  return Array.from({ length: Math.ceil(groups.length / perRow) }, (_, row) => row * perRow).flatMap((from) => {
    const part = groups.slice(from, from + perRow);
    const heads = part.map((_, index) => pad(`${from + index + 1} ${markOf(from + index, readBack)}`, look.width));
    const digits = part.map((group) => look.rows(group));
    const height = digits[0]?.length ?? 0;
    return [
      heads.join(between),
      ...Array.from({ length: height }, (_, line) => digits.map((rows) => rows[line] ?? "").join(between)),
    ];
  });
};

const hidesIn = (seconds: number): string => `Hides in ${seconds} s`;
const helpTexts = [
  "Type what is read back. S pairs, W id in words, L large, Backspace takes back, Esc hides.",
  "Type what is read back. Esc hides, S pairs, W words, L large.",
  "Type what is read back. Esc hides.",
  "Esc hides",
];

/** ASCII, the bullet and block elements: to measure each costs more than the rest of a card. */
const oneColumnEach = /^[ -~•▀-▟]*$/;

/** A text in at most so many columns. */
const cut = (text: string, columns: number): string => {
  if (oneColumnEach.test(text)) return text.slice(0, columns);
  let kept = "";
  let used = 0;
  for (const character of text) {
    used += stringWidth(character);
    if (used > columns) break;
    kept += character;
  }
  return kept;
};

const heading = ({ endpointName, computerName, keyId, words: spelt, facts }: CardState): readonly string[] => [
  ` ${trustedMark} ${label(endpointName)} shows the key of ${label(computerName)} `,
  spelt ? `${label(begin(keyId))}: ${inWords(keyId)}` : `Key id ${label(keyId)}`,
  ...facts.map(([name, value]) => `${label(name)}: ${label(value)}`),
];

/**
 * A card in lines, none wider and all together no more than the terminal. What has no room goes in this order: facts, large
 * digits, help. The key itself stays, also on the smallest screen.
 */
export const layCard = (state: CardState, { columns, rows }: TerminalSize): readonly string[] => {
  const width = Math.max(1, columns - 1); // the last column may wrap
  const spoken = layGroups(state.key, state.readBack, plainLook(state.pairs), width);
  const large = layGroups(state.key, state.readBack, largeLook, width);
  const last = [
    readBackLine(state.readBack),
    state.notice !== ""
      ? label(state.notice)
      : `${hidesIn(state.secondsLeft)}. ${helpTexts.find((text) => text.length + 20 <= width) ?? "Esc hides"}`,
  ];
  const canBeLarge = state.large && !state.pairs && large.length + last.length + 2 <= rows && largeLook.width <= width;
  const key = canBeLarge ? large : spoken;
  const room = rows - key.length - last.length;
  const head = heading(state).slice(0, Math.max(0, room));
  const blank = room - head.length >= 2;
  const lines = [...head, ...(blank ? [""] : []), ...key, ...(blank ? [""] : []), ...last];
  return lines.slice(0, rows).map((line) => cut(line, width));
};

/** The same without the key's digits, and without what was typed: for the record. */
export const withoutDigits = (state: CardState): CardState => ({
  ...state,
  key: state.key.replace(/\d/g, "•"),
  readBack: { ...state.readBack, typed: state.readBack.typed.replace(/\d/g, "•") },
});
