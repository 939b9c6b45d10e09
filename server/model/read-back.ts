import { isGroupValue } from "./recovery-password.ts";

/** What a group that somebody read back is, beside the key's own. */
export type GroupVerdict =
  | { readonly kind: "right" }
  /** It is no group of any recovery key: the rule of eleven. So it was misread, or mistyped. */
  | { readonly kind: "impossible" }
  /** It is another group of the same key, from 1: one was left out, or said twice. */
  | { readonly kind: "misplaced"; readonly group: number }
  /** It could be a group, of another key. */
  | { readonly kind: "foreign" };

export const digitsPerGroup = 6;

/** The groups of a recovery key in its stored form. */
export const groupsOf = (key: string): readonly string[] => key.split("-");

/** Judges six digits that were read back as group number `index`, from 0, of a key. */
export const judgeGroup = (groups: readonly string[], index: number, digits: string): GroupVerdict => {
  if (groups[index] === digits) return { kind: "right" };
  const elsewhere = groups.indexOf(digits);
  if (elsewhere >= 0) return { kind: "misplaced", group: elsewhere + 1 };
  return isGroupValue(Number(digits)) ? { kind: "foreign" } : { kind: "impossible" };
};
