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
  /** The time is over, and the key gone. The card stays, so that nothing that is still being typed reaches the prompt. */
  readonly isOver: boolean;
  /** What the server had to say meanwhile; empty: nothing. */
  readonly notice: string;
}

interface WrongGroup {
  readonly digits: string;
  readonly verdict: GroupVerdict | { readonly kind: "short" };
}

export interface ReadBack {
  /** Of the groups that are through, in order. */
  readonly right: number;
  /** Digits of the group under way. */
  readonly typed: string;
  /** Of the group that was read back last, where it was wrong. */
  readonly wrong: WrongGroup | undefined;
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

/** In one line, or two halves: half an id read to somebody would be taken for the whole. */
const inWords = (keyId: string, width: number): readonly string[] => {
  const all = Array.from(begin(keyId), (each) => label(words[each] ?? each));
  const whole = all.join(" ");
  return whole.length <= width ? [whole] : [all.slice(0, 4).join(" "), all.slice(4).join(" ")];
};

const sentenceOf = (verdict: WrongGroup["verdict"]): string => {
  switch (verdict.kind) {
    case "right":
      return "";
    case "short":
      return "Digits are missing.";
    case "impossible":
      return "A digit was misread.";
    case "misplaced":
      return `That is group ${verdict.group}.`;
    case "foreign":
      return "It is of another key.";
  }
};

const readBackLine = ({ right, typed, wrong }: ReadBack, width: number): string => {
  if (right === groupCount) return "All eight groups were read back right.";
  const group = right + 1;
  if (typed !== "" || wrong === undefined) return `Read back, group ${group}: ${typed.padEnd(digitsPerGroup, "_")}`;
  const short = `Group ${group}: ${wrong.digits} is wrong.`;
  const long = `${short} ${sentenceOf(wrong.verdict)}`;
  const texts = [
    `${long} Type group ${group} again.`,
    long,
    `Group ${group} wrong. ${sentenceOf(wrong.verdict)}`,
    short,
  ];
  return texts.find((text) => text.length <= width) ?? short;
};

/** What stands under a group: whether it was read back. */
const markOf = (group: number, { right, wrong, typed }: ReadBack): string => {
  if (group < right) return "ok";
  if (group > right) return "";
  return wrong !== undefined && typed === "" ? "no" : "?";
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

const hidesIn = (seconds: number, width: number): string => {
  const text = `Hides in ${seconds} s`;
  return (
    [`${text}; any key keeps it, Esc hides it.`, `${text}, Esc hides it.`].find((each) => each.length <= width) ?? text
  );
};

const helpTexts = [
  "S: digits in pairs   W: key id in words   L: large or plain digits   Ctrl-U: clear the group",
  "S: in pairs   W: id in words   L: large or plain   Ctrl-U: clear",
  "S pairs, W id in words, Ctrl-U clears",
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

const heading = (
  { endpointName, computerName, keyId, words: spelt, facts }: CardState,
  width: number,
): readonly string[] => [
  ` ${trustedMark} ${label(endpointName)} shows the key of ${label(computerName)} `,
  ...(spelt ? inWords(keyId, width) : [`Key id ${label(keyId)}`]),
  ...facts.map(([name, value]) => `${label(name)}: ${label(value)}`),
];

/**
 * A card in lines, none wider and all together no more than the terminal. What has no room goes in this order: facts, large
 * digits, help. Where the key itself has no room, none of it is shown: half a key would be read as a whole one.
 */
export const layCard = (state: CardState, { columns, rows }: TerminalSize): readonly string[] => {
  const width = Math.max(1, columns - 1); // the last column may wrap
  const head = heading(state, width);
  const cutAll = (lines: readonly string[]): readonly string[] => lines.slice(0, rows).map((line) => cut(line, width));
  if (state.isOver) return cutAll([...head, "", "Time is up: the key is hidden.", "Esc goes back."]);
  const plain = layGroups(state.key, state.readBack, plainLook(state.pairs), width);
  const large = layGroups(state.key, state.readBack, largeLook, width);
  const last = [
    readBackLine(state.readBack, width),
    state.notice === "" ? hidesIn(state.secondsLeft, width) : label(state.notice),
  ];
  const canBeLarge = state.large && !state.pairs && large.length + last.length + 2 <= rows && largeLook.width <= width;
  const key = canBeLarge ? large : plain;
  const room = rows - key.length - last.length;
  if (room < 0 || plainLook(state.pairs).width > width) return cutAll(["This window is too small.", "Esc goes back."]);
  const help = helpTexts.find((text) => text.length <= width);
  /** Who asks and which key it is. */
  const needed = head.length - state.facts.length;
  const foot = room > needed && help !== undefined ? [...last, help] : last;
  const left = rows - key.length - foot.length;
  // The id is worth more than the title: it is what is compared with the caller's screen.
  const shown = left < needed ? head.slice(1, left + 1) : head.slice(0, left);
  const blank = left - shown.length >= 2 ? [""] : [];
  return cutAll([...shown, ...blank, ...key, ...blank, ...foot]);
};

const masked = (digits: string): string => digits.replace(/\d/g, "•");

/** The same without the key's digits, and without what was typed: for the record. */
export const withoutDigits = (state: CardState): CardState => ({
  ...state,
  key: masked(state.key),
  readBack: {
    ...state.readBack,
    typed: masked(state.readBack.typed),
    wrong: state.readBack.wrong && { ...state.readBack.wrong, digits: masked(state.readBack.wrong.digits) },
  },
});
