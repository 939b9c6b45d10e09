import { maskKey } from "../model/key-shaped-text.ts";

const unreadable = /[\p{C}\p{Zl}\p{Zp}]/gu;

/**
 * Text of an unknown client, made fit for the record: bounded, no control or private-use characters, and no recovery key
 * (a user may paste one at any prompt; the log must not keep it).
 */
export const readableText = (text: string, longest = 128): string => {
  const masked = maskKey(
    text
      .slice(0, 4 * longest)
      .toWellFormed()
      .replace(unreadable, "\uFFFD"),
  );
  return masked.length > longest ? `${masked.slice(0, longest)}…`.toWellFormed() : masked;
};
