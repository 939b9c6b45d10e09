import { digitsPerGroup, groupsOf, judgeGroup } from "../../../model/read-back.ts";
import { createSequenceFilter } from "../sequence-filter.ts";
import { type CardState, groupCount, mostWrongGroups, type ReadBack } from "./lay-card.ts";

/** What a key does to a card: another state, or its end. */
export type Pressed = CardState | "hide";

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
  isOver: false,
  notice: "",
});

const judge = (state: CardState, digits: string): Pressed => {
  const { right, wrongTimes } = state.readBack;
  const verdict =
    digits.length < digitsPerGroup ? ({ kind: "short" } as const) : judgeGroup(groupsOf(state.key), right, digits);
  if (verdict.kind === "right")
    return { ...state, readBack: { right: right + 1, typed: "", wrong: undefined, wrongTimes } };
  // Somebody without the key before their eyes would guess: the card goes first.
  if (wrongTimes + 1 >= mostWrongGroups) return "hide";
  return { ...state, readBack: { right, typed: "", wrong: { digits, verdict }, wrongTimes: wrongTimes + 1 } };
};

const typed = (state: CardState, digits: string): CardState => ({
  ...state,
  readBack: { ...state.readBack, typed: digits, wrong: undefined },
});

/** Enter says that a group is whole: so a digit that was left out is noticed there, not at the end. */
const endGroup = (state: CardState): Pressed => {
  if (state.readBack.right === groupCount) return "hide";
  return state.readBack.typed === "" ? state : judge(state, state.readBack.typed);
};

/** One character that was typed while the card is shown. */
export const pressCard = (state: CardState, key: string): Pressed => {
  if (/^[\u0003\u0004q]$/.test(key)) return "hide";
  if (state.isOver) return /^[\r\n]$/.test(key) ? "hide" : state;
  const { right, typed: digits } = state.readBack;
  if (/^\d$/.test(key)) {
    if (right === groupCount) return state;
    return digits.length + 1 < digitsPerGroup ? typed(state, digits + key) : judge(state, digits + key);
  }
  switch (key) {
    case "\r":
    case "\n":
      return endGroup(state);
    case "\b":
    case "\u007f":
      return digits === "" ? state : typed(state, digits.slice(0, -1));
    case "\u0015":
    case "\u0017":
      return typed(state, "");
    case "s":
    case "S":
      return { ...state, pairs: !state.pairs };
    case "w":
    case "W":
      return { ...state, words: !state.words };
    case "l":
    case "L":
      return { ...state, large: state.pairs || !state.large, pairs: false };
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
