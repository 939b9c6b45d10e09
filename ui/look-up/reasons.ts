import type { UiCandidate, UiLookUp } from "../protocol.ts";
import { quoted } from "../language/words.ts";

type ReasonRights = NonNullable<UiLookUp["reason"]>;

export interface ReasonChoice {
  readonly value: string;
  /** In front of it: its number, or why it is offered. */
  readonly mark: string;
}

/** Longest that a command takes. */
export const longestReason = 256;

const beginsWith = (reason: string, typed: string): boolean => reason.toLowerCase().startsWith(typed.toLowerCase());
const hasWordWith = (reason: string, typed: string): boolean =>
  reason.split(" ").some((word) => beginsWith(word, typed));

/** What can be taken for what is typed: a listed reason by its number or first letters, and the words themselves where any will do. */
export const reasonChoices = (
  typed: string,
  { offered, isListed }: ReasonRights,
  last: string | undefined,
): readonly ReasonChoice[] => {
  const text = typed.trim();
  const numbered = offered.map((value, index) => ({ value, mark: String(index + 1) }));
  if (text === "") {
    const again = last !== undefined && (!isListed || offered.includes(last)) ? [{ value: last, mark: "last" }] : [];
    return [...again, ...numbered];
  }
  const byNumber = numbered.filter(({ mark }) => mark === text);
  const byLetters = numbered.filter(({ value }) => beginsWith(value, text));
  const byWord = numbered.filter(({ value }) => hasWordWith(value, text));
  const found = [byNumber, byLetters, byWord].find((list) => list.length > 0) ?? [];
  const isThere = found.some(({ value }) => value.toLowerCase() === text.toLowerCase());
  return isListed || isThere ? found : [...found, { value: text, mark: "as typed" }];
};

/** The line that shows the key, as a person would type it. */
export const lineFor = ({ keyId }: UiCandidate, reason: string | undefined): string =>
  `Get-RecoveryKeys -RecoveryKeyId ${quoted(keyId, "")}${reason === undefined ? "" : ` -Reason ${quoted(reason, "'")}`}`;
