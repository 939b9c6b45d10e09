import { maskKeyShapedText } from "../../../commands/mask-key-shaped-text.ts";

/** Digits that may stand in a row before the rest of it is taken for a recovery key: three of its eight groups. */
const digitsShown = 18;

/**
 * Masks recovery keys in what is being typed, before it is echoed or reaches the UI process: a user may type or paste
 * one at the prompt, and what is echoed is in the transcript.
 * Typing comes one character at a time, so a key is recognised by its beginning: from the 19th digit of a run of groups
 * of six on, digits become `•`. A pasted key is masked whole. Dates, times and ticket numbers are shorter.
 */
export const createKeyMask = (): ((typed: string) => string) => {
  /** The run so far: `d` a digit, `-` a separator after a whole group. */
  let run = "";
  const digits = (): number => run.replaceAll("-", "").length;
  return (typed) => {
    let masked = "";
    for (const character of maskKeyShapedText(typed)) {
      if (/^[0-9•]$/.test(character)) {
        run += "d";
        masked += digits() > digitsShown ? "•" : character;
        continue;
      }
      if (/^[-\t \u2010-\u2015.,_]$/.test(character) && run.endsWith("d") && digits() % 6 === 0) run += "-";
      else if (character === "\u007f" || character === "\b") run = run.slice(0, -1);
      else run = "";
      masked += character;
    }
    return masked;
  };
};
