/** Three or more groups of six digits: a recovery key, or most of one, typed where a name belongs. */
const keyShaped = /\d{6}(?:[^\p{L}\p{N}]{0,3}\d{6}){2,}\d*/gu;
const unreadable = /[\p{C}\p{Zl}\p{Zp}]/gu;

/**
 * Text of an unknown client, made fit for the record: bounded, no control or private-use characters, and nothing shaped
 * like a recovery key (a user may paste one at any prompt; the log must not keep it).
 */
export const readableText = (text: string, longest = 128): string => {
  const masked = text
    .slice(0, 4 * longest)
    .toWellFormed()
    .replace(unreadable, "\uFFFD")
    .replace(keyShaped, "•••");
  return masked.length > longest ? `${masked.slice(0, longest)}…`.toWellFormed() : masked;
};
