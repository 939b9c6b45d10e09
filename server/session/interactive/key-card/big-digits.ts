/*
 * Digits of three by five dots, two dots a character: three rows of three characters. Block elements (U+2580), because every
 * terminal has them since code page 437.
 */
const dots: Readonly<Record<string, string>> = {
  "0": "###|#.#|#.#|#.#|###",
  "1": ".#.|##.|.#.|.#.|###",
  "2": "###|..#|###|#..|###",
  "3": "###|..#|###|..#|###",
  "4": "#.#|#.#|###|..#|..#",
  "5": "###|#..|###|..#|###",
  "6": "###|#..|###|#.#|###",
  "7": "###|..#|..#|..#|..#",
  "8": "###|#.#|###|#.#|###",
  "9": "###|#.#|###|..#|###",
  // In the record, and while a card is overwritten.
  "•": "...|...|.#.|...|...",
};

const bigDigitRows = 3;
export const bigDigitColumns = 3;

const half = (upper: boolean, lower: boolean): string => (upper ? (lower ? "█" : "▀") : lower ? "▄" : " ");

const rowOf = (digit: string, row: number): string => {
  const lines = (dots[digit] ?? "").split("|");
  const [upper = "", lower = ""] = [lines[row * 2], lines[row * 2 + 1]];
  return Array.from({ length: bigDigitColumns }, (_, at) => half(upper[at] === "#", lower[at] === "#")).join("");
};

/** Digits in three rows of text, a blank between two. */
export const bigDigits = (digits: string): readonly string[] =>
  Array.from({ length: bigDigitRows }, (_, row) => Array.from(digits, (digit) => rowOf(digit, row)).join(" "));
