import { holdsKey, maskDigits } from "../../model/key-shaped-text.ts";
import { createSequenceFilter } from "./sequence-filter.ts";

/** Digits that may stand in a row before the rest of it is taken for a recovery key: three of its eight groups. */
const digitsShown = 18;
/** How far back, and ahead, what was typed is looked at: a key read out with words between its groups fits. */
const remembered = 512;
/** More than a key takes. */
const longestRun = 64;

const rubsOut = (character: string): boolean => character === "\b" || character === "\u007f";

/** What stays of a line after its backspaces. */
const withoutRubbedOut = (line: string): string => {
  if (!/[\b\u007f]/.test(line)) return line;
  const left: string[] = [];
  for (const character of line) {
    if (rubsOut(character)) left.pop();
    else left.push(character);
  }
  return left.join("");
};

/** Masks from the 19th digit of groups of six on, whether or not each group is a valid one: one may be misread. */
const createRunMask = (): { readonly mask: (character: string) => string; readonly reset: () => void } => {
  /** The run so far: `d` a digit, `-` a separator after a whole group. */
  let run = "";
  const digits = (): number => run.replaceAll("-", "").length;
  return {
    mask: (character) => {
      const before = run;
      run = "";
      if (/^[\p{Nd}•]$/u.test(character)) {
        run = `${before}d`.slice(-longestRun);
        return digits() > digitsShown ? maskDigits(character) : character;
      }
      run = before;
      if (/^[-\t \u2010-\u2015.,_]$/.test(character) && run.endsWith("d") && digits() % 6 === 0) run += "-";
      else run = rubsOut(character) ? run.slice(0, -1) : "";
      return character;
    },
    reset: () => {
      run = "";
    },
  };
};

/**
 * Masks recovery keys in what is being typed, before it is echoed or reaches the UI process: a user may type or paste
 * one at the prompt, and what is echoed is in the transcript.
 * Typing comes one character at a time, so a key is recognised by its beginning: from the 19th digit of a run of groups
 * of six on, digits become `•`. Written in another way it is recognised once half of it is there. A pasted key is masked whole.
 * Where the pieces are cut makes no difference to what is recognised, only to how much of it was echoed before.
 *
 * @returns a function of the next piece, and of what is known already to follow it
 */
export const createKeyMask = (): ((typed: string, ahead?: string) => string) => {
  const isSequence = createSequenceFilter();
  const run = createRunMask();
  /** The line so far as it was typed, and the lines before it that have no letter: a key may come in several lines. */
  let line = "";

  const maskText = (typed: string, isKey: boolean): string => {
    line = line.slice(-remembered) + typed;
    const masked = isKey || holdsKey(line) ? maskDigits(typed) : typed;
    line = withoutRubbedOut(line);
    return Array.from(masked, run.mask).join("");
  };
  const endLine = (end: string): void => {
    line = /\p{L}/u.test(line) ? "" : `${line}${end}`;
    run.reset();
  };

  return (typed, ahead = "") => {
    const pieces: { text: string; readonly isText: boolean }[] = [];
    for (const character of typed) {
      const isText = !isSequence(character);
      const last = pieces.at(-1);
      if (last?.isText === isText) last.text += character;
      else pieces.push({ text: character, isText });
    }
    const texts = pieces.map(({ text, isText }) => (isText ? text : "")).join("");
    const isKey = holdsKey(withoutRubbedOut(texts + ahead.slice(0, remembered)));
    return pieces
      .map(({ text, isText }) => {
        if (!isText) return text;
        const parts = text.split(/([\r\n\u0003\u0015])/).map((part, index) => {
          if (index % 2 === 0) return part === "" ? "" : maskText(part, isKey);
          endLine(part);
          return part;
        });
        return parts.join("");
      })
      .join("");
  };
};
