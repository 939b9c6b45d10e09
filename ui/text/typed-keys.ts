// Digits of the input methods that people here use; one UTF-16 unit each, so that masking keeps every index.
const digit = "[0-9\\uff10-\\uff19\\u0660-\\u0669\\u06f0-\\u06f9]";
const separator = "[\\s\\-\\u2010-\\u2015\\u2212._,;:/|]{1,3}";
const guid = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}";

/**
 * A GUID first, so that a key id ending in twelve digits isn't taken for a key; then two or more groups of six digits
 * (a last unfinished one with them), or twelve digits in a row.
 */
const keyShaped = new RegExp(
  `(${guid})|${digit}{6,}(?:${separator}${digit}{6,})+(?:${separator}${digit}{1,5})?|${digit}{12,}`,
  "g",
);
const oneDigit = new RegExp(digit, "g");

/** Typed text as it may be shown: what looks like a recovery key has `•` for digits. The length stays. */
export const maskTypedKeys = (text: string): string =>
  text.replace(keyShaped, (match: string, id: string | undefined) =>
    id === undefined ? match.replace(oneDigit, "•") : match,
  );

export const holdsTypedKey = (text: string): boolean => maskTypedKeys(text) !== text;
