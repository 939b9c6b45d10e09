import { shortComputerName } from "../model/computer-name.ts";

/** Longer words are no misspelt names; nor are others than these: a look-alike letter is no slip of a finger. */
const typedName = /^[a-z0-9-]{3,40}$/;
/** Somebody who types the beginning means the rest. */
const shortestBeginning = 5;
const most = 3;

/** Letters left out, put in, exchanged or swapped with their neighbour, to make one text of the other. */
const distance = (left: string, right: string): number => {
  const rows: number[][] = [Array.from({ length: right.length + 1 }, (_, column) => column)];
  const at = (row: number, column: number): number => rows[row]?.[column] ?? Infinity;
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row];
    rows.push(current);
    for (let column = 1; column <= right.length; column += 1) {
      const isSame = left[row - 1] === right[column - 1];
      const isSwapped = left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      current.push(
        Math.min(
          at(row - 1, column) + 1,
          at(row, column - 1) + 1,
          at(row - 1, column - 1) + (isSame ? 0 : 1),
          isSwapped ? at(row - 2, column - 2) + 1 : Infinity,
        ),
      );
    }
  }
  return at(left.length, right.length);
};

/** A slip in four letters, two slips at most. */
const slips = (typed: string): number => Math.min(2, Math.floor(typed.length / 4));

interface CloseName {
  readonly name: string;
  readonly slips: number;
}

/** The closest first. */
const closeTo = (
  typed: string,
  names: readonly string[],
  typedFormOf = (name: string): string => name,
): readonly CloseName[] => {
  const word = typed.toLowerCase();
  if (!typedName.test(word)) return [];
  return names
    .map((name) => {
      const lower = typedFormOf(name).toLowerCase();
      const begins = word.length >= shortestBeginning && lower.startsWith(word);
      return { name, slips: begins ? 0 : distance(word, lower) };
    })
    .filter((one) => one.slips <= slips(word))
    .sort((a, b) => a.slips - b.slips);
};

/** The names that a typed one may be a slip or the beginning of, the closest first. */
export const closestNames = (typed: string, names: readonly string[]): readonly string[] =>
  closeTo(typed, names)
    .slice(0, most)
    .map(({ name }) => name);

/**
 * The same for names of computers, whose domains nobody types. Numbered computers are all alike: where more than three are as close as the
 * closest, to name some of them would be a guess.
 */
export const closestComputers = (typed: string, names: readonly string[]): readonly string[] => {
  const close = closeTo(typed, names, (name) => shortComputerName(name) ?? name);
  const asClose = close.length > most ? close.filter((one) => one.slips === close[0]?.slips) : close;
  return asClose.length > most ? [] : asClose.map(({ name }) => name);
};
