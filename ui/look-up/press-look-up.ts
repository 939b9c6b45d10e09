import type { KeyEvent } from "../input/key-decoder.ts";
import type { UiCandidate, UiLookUp } from "../protocol.ts";
import { graphemes } from "../text/cells.ts";
import { type Answers, type Candidates, findIn, withAnswer } from "./found.ts";
import { lineFor, longestReason, reasonChoices } from "./reasons.ts";

/** The reason for one candidate, being typed. */
export interface AskedReason {
  readonly candidate: UiCandidate;
  /** When it was found. */
  readonly at: string;
  readonly text: string;
  /** Among the choices; -1: none. */
  readonly chosen: number;
  readonly problem: string;
}

export interface LookUpState {
  /** As it was typed. */
  readonly piece: string;
  readonly answers: Answers;
  /** The piece that was asked for last and has no answer yet. */
  readonly asked: string | undefined;
  /** It takes long enough for a word about it. */
  readonly isSlow: boolean;
  /** The key id of the candidate that was chosen by hand. */
  readonly chosen: string | undefined;
  readonly reason: AskedReason | undefined;
  /** Of this session. */
  readonly lastReason: string | undefined;
}

export type LookUpEffect =
  /** The piece changed: whatever it asks is asked in a moment, if it is still wanted then. */
  | { readonly type: "changed" }
  | { readonly type: "ask" }
  | { readonly type: "submit"; readonly line: string }
  | { readonly type: "close" };

export interface LookUpPressed {
  readonly state: LookUpState;
  readonly effect?: LookUpEffect;
}

const longestPiece = 64;

export const openLookUp = (piece: string, lastReason: string | undefined): LookUpState => ({
  piece,
  answers: [],
  asked: undefined,
  isSlow: false,
  chosen: undefined,
  reason: undefined,
  lastReason,
});

export const receiveCandidates = (state: LookUpState, answer: Candidates): LookUpState =>
  answer.piece === state.asked
    ? { ...state, answers: withAnswer(state.answers, answer), asked: undefined, isSlow: false }
    : state;

/** Which of the rows stands out: the one that was chosen, as long as it is there, else the first. */
export const chosenRow = (rows: readonly UiCandidate[], chosen: string | undefined): number =>
  Math.max(
    0,
    rows.findIndex(({ keyId }) => keyId === chosen),
  );

const withoutLast = (text: string): string => graphemes(text).slice(0, -1).join("");

/** The text after a key that edits it, or undefined where the key does something else. */
const editText = (text: string, event: KeyEvent, longest: number): string | undefined => {
  if (event.type === "text") return (text + event.text).slice(0, longest).replace(/[\ud800-\udbff]$/, "");
  if (event.name === "backspace" || (event.ctrl && event.name === "h")) return withoutLast(text);
  if (event.ctrl && event.name === "u") return "";
  if (event.ctrl && event.name === "w") return text.replace(/\S*\s*$/, "");
  return undefined;
};

const page = 5;

/** How far a key moves in a list. */
const stepOf = ({ name, ctrl, shift }: KeyEvent & { readonly type: "key" }): number => {
  if (ctrl) return name === "p" ? -1 : name === "n" ? 1 : 0;
  if (name === "tab") return shift ? -1 : 1;
  const steps: Readonly<Record<string, number>> = { up: -1, down: 1, "page-up": -page, "page-down": page };
  return steps[name] ?? 0;
};

const isKey = (event: KeyEvent, ...names: readonly string[]): boolean =>
  event.type === "key" && !event.ctrl && !event.alt && names.includes(event.name);
const isControl = (event: KeyEvent, ...names: readonly string[]): boolean =>
  event.type === "key" && event.ctrl && names.includes(event.name);

const submit = (state: LookUpState, candidate: UiCandidate, reason: string | undefined): LookUpPressed => ({
  state: { ...state, lastReason: reason ?? state.lastReason },
  effect: { type: "submit", line: lineFor(candidate, reason) },
});

const pressReason = (state: LookUpState, asked: AskedReason, event: KeyEvent, rights: UiLookUp): LookUpPressed => {
  const { reason: reasonRights } = rights;
  const reask = (changed: Partial<AskedReason>): LookUpPressed => ({
    state: { ...state, reason: { ...asked, problem: "", ...changed } },
  });
  // The right to give one went meanwhile.
  if (reasonRights === undefined || isKey(event, "escape")) return { state: { ...state, reason: undefined } };
  const text = editText(asked.text, event, longestReason);
  const choicesFor = (typed: string) => reasonChoices(typed, reasonRights, state.lastReason);
  if (text !== undefined) return reask({ text, chosen: text.trim() === "" || choicesFor(text).length === 0 ? -1 : 0 });
  const choices = choicesFor(asked.text);
  if (isKey(event, "enter")) {
    const taken = choices[asked.chosen];
    if (taken !== undefined) return submit(state, asked.candidate, taken.value);
    if (asked.text.trim() !== "") return reask({ problem: "That is not on the list." });
    return reasonRights.isNeeded
      ? reask({ problem: "A reason is needed: a number, first letters, or the arrow keys." })
      : submit(state, asked.candidate, undefined);
  }
  const step = event.type === "key" ? stepOf(event) : 0;
  const least = asked.text.trim() === "" ? -1 : 0;
  return step === 0 ? { state } : reask({ chosen: Math.max(least, Math.min(choices.length - 1, asked.chosen + step)) });
};

/** One key's effect on the look-up. Pure: the clock and the server are elsewhere. A pasted line end chooses nothing. */
export const pressLookUp = (state: LookUpState, event: KeyEvent, rights: UiLookUp): LookUpPressed => {
  if (event.type === "key" && event.pasted) return { state };
  if (isControl(event, "c", "g", "d") || isKey(event, "f2")) return { state, effect: { type: "close" } };
  if (state.reason !== undefined) return pressReason(state, state.reason, event, rights);
  if (isKey(event, "escape")) return { state, effect: { type: "close" } };
  const piece = editText(state.piece, event, longestPiece);
  if (piece !== undefined)
    return piece === state.piece ? { state } : { state: { ...state, piece }, effect: { type: "changed" } };
  const { rows, at, question, message } = findIn(state.answers, state.piece, rights);
  const index = chosenRow(rows, state.chosen);
  if (isKey(event, "enter")) {
    const candidate = rows[index];
    // What failed may be asked again.
    if (candidate === undefined)
      return question === undefined && message === "" ? { state } : { state, effect: { type: "ask" } };
    if (rights.reason === undefined) return submit(state, candidate, undefined);
    return { state: { ...state, reason: { candidate, at, text: "", chosen: -1, problem: "" } } };
  }
  const step = event.type === "key" ? stepOf(event) : 0;
  const next = rows[Math.max(0, Math.min(rows.length - 1, index + step))];
  return step === 0 || next === undefined ? { state } : { state: { ...state, chosen: next.keyId } };
};
