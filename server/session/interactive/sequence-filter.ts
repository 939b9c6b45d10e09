/** Of an escape sequence that a key sends; what claims to be longer is text, or a recovery key could pass as one. */
const longestSequence = 16;

/**
 * Tells what is typed from escape sequences (ECMA-48 §5.4, and SS3 of function keys): arrow keys, the marks around a paste. Their characters are
 * nobody's text. A bare ESC takes no key with it, and neither does a sequence that is cut off.
 *
 * @returns whether the next character belongs to a sequence; it remembers what came before
 */
export const createSequenceFilter = (): ((character: string) => boolean) => {
  let state: "none" | "begun" | "control" | "single-shift" = "none";
  let length = 0;
  return (character) => {
    const before = state;
    length = before === "none" ? 0 : length + 1;
    state = "none";
    if (character === "\u001b") state = "begun";
    else if (before === "begun" && character === "[") state = "control";
    else if (before === "begun" && character === "O") state = "single-shift";
    else if (before === "control" && length < longestSequence && /^[ -?]$/.test(character)) state = "control";
    else return before !== "none" && before !== "begun" && /^[@-~]$/.test(character);
    return true;
  };
};
