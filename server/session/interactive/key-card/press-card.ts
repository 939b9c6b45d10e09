import { digitsPerGroup, groupsOf, judgeGroup } from "../../../model/read-back.ts";
import { createSequenceFilter } from "../sequence-filter.ts";
import { type CardState, groupCount, mostWrongGroups, type ReadBack } from "./lay-card.ts";

/** What a key does to a card: another state, or its end. `stop` ends the command too. */
export type Pressed = CardState | "hide" | "stop";

const nothing: ReadBack = { right: 0, typed: "", wrong: undefined, wrongTimes: 0 };

/** A key as its card is opened. */
export type ShownKey = Pick<CardState, "endpointName" | "key" | "keyId" | "computerName" | "facts">;

export const newCard = (shown: ShownKey, secondsLeft: number): CardState => ({
  ...shown,
  large: true,
  pairs: false,
  words: false,
  readBack: nothing,
  secondsLeft,
  notice: "",
});

const typeDigit = (state: CardState, digit: string): Pressed => {
  const { right, typed, wrongTimes } = state.readBack;
  if (right === groupCount) return state;
  const digits = typed + digit;
  if (digits.length < digitsPerGroup)
    return { ...state, readBack: { ...state.readBack, typed: digits, wrong: undefined } };
  const verdict = judgeGroup(groupsOf(state.key), right, digits);
  if (verdict.kind === "right")
    return { ...state, readBack: { right: right + 1, typed: "", wrong: undefined, wrongTimes } };
  // Somebody without the key before their eyes would guess: the card goes first.
  if (wrongTimes + 1 >= mostWrongGroups) return "hide";
  return { ...state, readBack: { right, typed: "", wrong: verdict, wrongTimes: wrongTimes + 1 } };
};

const takeBack = (state: CardState): CardState => {
  const { right, typed } = state.readBack;
  if (typed !== "") return { ...state, readBack: { ...state.readBack, typed: typed.slice(0, -1) } };
  return { ...state, readBack: { ...state.readBack, right: Math.max(0, right - 1), wrong: undefined } };
};

/** One character that was typed while the card is shown. */
export const pressCard = (state: CardState, key: string): Pressed => {
  if (/^\d$/.test(key)) return typeDigit(state, key);
  switch (key) {
    case "\u0003":
      return "stop";
    case "\u0004":
    case "\r":
    case "\n":
    case "q":
      return "hide";
    case "\b":
    case "\u007f":
      return takeBack(state);
    case "s":
    case "S":
      return { ...state, pairs: !state.pairs };
    case "w":
    case "W":
      return { ...state, words: !state.words };
    case "l":
    case "L":
      return { ...state, large: !state.large };
    default:
      return state; // blanks and hyphens between the groups, and what means nothing here
  }
};

const escape = "\u001b";

/**
 * What was typed, as keys of a card. A terminal sends a sequence in one piece: an escape character at the end of one is the key.
 */
export const createCardKeys = (): ((text: string) => readonly string[]) => {
  let isSequence = createSequenceFilter();
  return (text) => {
    const lone = text.endsWith(escape);
    const keys: string[] = Array.from(lone ? text.slice(0, -1) : text).filter((character) => !isSequence(character));
    if (!lone) return keys;
    isSequence = createSequenceFilter();
    return [...keys, "escape"];
  };
};
