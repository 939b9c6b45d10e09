/**
 * Four or more groups of six digits, with up to three other characters between them, and the digits that follow.
 * Fewer than the eight groups of a whole recovery password: a key with a group missing or cut off is still most of a
 * key. Four, not two or three: dates with times and ticket numbers have up to three. A key id never fits, its groups
 * being of 8, 4, 4, 4 and 12.
 * Groups have a fixed length, so there is one way only to match and the work is linear.
 */
const keyShaped = /[0-9]{6}(?:[^0-9]{0,3}[0-9]{6}){3,}[^0-9]{0,3}[0-9]*/g;

/** Replaces each digit of anything that looks like a recovery key, or most of one, by `•`; the width stays. */
export const maskKeyShapedText = (text: string): string => text.replace(keyShaped, (key) => key.replace(/[0-9]/g, "•"));

export const isKeyShaped = (text: string): boolean => maskKeyShapedText(text) !== text;
