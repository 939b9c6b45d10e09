import { findUnprintable } from "../../server/model/harmless-text.ts";

/** Where a sequence was left by the end of a piece of output. */
export interface OutputState {
  readonly inside: "ground" | "escape" | "intermediate" | "control" | "string";
  /** What of a control sequence was read. */
  readonly sequence: string;
}

export const outputStart: OutputState = { inside: "ground", sequence: "" };

/** Longer than any sequence that passes. */
const longestSequence = 128;

/**
 * In the recorded screen the mark of the server's own prompts becomes another: the auditor's own prompts alone begin with it, and
 * the server takes it out of whatever a UI process paints.
 */
const trustedMark = "\u25c6";
const recordedMark = "\u25c7";

const movesOrErases = /^[0-9]{0,4}(?:;[0-9]{0,4})?[A-HfdJKX]$/;
const rendition = /^[0-9:;]*m$/;

/** What a transcript has of control sequences: the server's painter lets no others pass. */
const passes = (sequence: string): boolean =>
  movesOrErases.test(sequence) || rendition.test(sequence) || /^(?:[su]|\?25[hl])$/.test(sequence);

const afterEscape = (character: string): OutputState["inside"] =>
  character === "["
    ? "control"
    : /^[P\]X^_]$/.test(character)
      ? "string"
      : /^[ -/]$/.test(character)
        ? "intermediate"
        : "ground";

const afterC1 = (code: number): OutputState["inside"] =>
  code === 0x9b ? "control" : code === 0x90 || code === 0x98 || (code >= 0x9d && code <= 0x9f) ? "string" : "ground";

/** A terminal keeps every mark that is put on one character, so one cell could take a whole file. */
const thinned = (text: string): string =>
  /[^\u0000-\u007f]/.test(text) ? text.replace(/(\p{M}{8})\p{M}+/gu, "$1") : text;

/** Printable ASCII; NaN, which stands behind the end, is not. */
const isPlain = (code: number): boolean => code >= 0x20 && code < 0x7f;

/**
 * Recorded output as the emulator may have it: text, colours, cursor movement and erasing. Nothing recorded reaches the auditor's
 * terminal anyway; this keeps the emulator's state small (no second screen, no margins, no modes), so that a keyframe is all of it,
 * and costs a hostile file its favourite tools (repeat, insert, endless strings, reports).
 */
export const filterOutput = (
  text: string,
  state: OutputState,
): { readonly text: string; readonly state: OutputState } => {
  let { inside, sequence } = state;
  let kept = "";
  for (let at = 0; at < text.length;) {
    if (inside === "ground") {
      const from = at;
      while (isPlain(text.charCodeAt(at))) at += 1;
      kept += text.slice(from, at);
      if (at >= text.length) break;
    }
    const code = text.codePointAt(at) ?? 0;
    const character = String.fromCodePoint(code);
    at += character.length;
    if (code === 0x1b) {
      inside = "escape";
      continue;
    }
    switch (inside) {
      case "ground":
        if (code === 0x08 || code === 0x09 || code === 0x0a || code === 0x0d) kept += character;
        else if (character === trustedMark) kept += recordedMark;
        else if (code >= 0x80 && code <= 0x9f) {
          inside = afterC1(code);
          sequence = "";
        } else if (code > 0x9f) kept += findUnprintable(character) === undefined ? character : "\ufffd";
        break;
      case "escape":
        inside = afterEscape(character);
        sequence = "";
        if (character === "7" || character === "8") kept += `\u001b${character}`;
        break;
      case "intermediate":
        if (code >= 0x30) inside = "ground";
        break;
      case "control":
        if (code === 0x18 || code === 0x1a) inside = "ground";
        if (code < 0x20 || code > 0x7e) break;
        if (sequence.length < longestSequence) sequence += character;
        if (code < 0x40) break;
        inside = "ground";
        if (passes(sequence)) kept += `\u001b[${sequence}`;
        break;
      case "string":
        if (code === 0x07 || code === 0x9c || code === 0x18 || code === 0x1a) inside = "ground";
        break;
      default:
        inside satisfies never;
    }
  }
  return { text: thinned(kept), state: { inside, sequence } };
};
