/**
 * PowerShell's classes of characters (CharTraits.cs): dashes and quotes as word processors write them count as typed
 * ones, so a line copied from a ticket or a mail works as it does in PowerShell.
 */
const dashes = new Set(["-", "–", "—", "―"]);
const singleQuotes = new Set(["'", "‘", "’", "‚", "‛"]);
const doubleQuotes = new Set(['"', "“", "”", "„"]);

export const isDash = (character: string): boolean => dashes.has(character);
export const isSingleQuote = (character: string): boolean => singleQuotes.has(character);
export const isDoubleQuote = (character: string): boolean => doubleQuotes.has(character);
export const isQuote = (character: string): boolean => isSingleQuote(character) || isDoubleQuote(character);

/** Space, tab, and every space separator of Unicode: the no-break space of a web page parts words too. */
export const isBlank = (character: string): boolean => character !== "" && /^[\t\p{Zs}]$/u.test(character);

/** `U+200B`: how a character that can't be shown is named in a message. */
export const codePointName = (character: string): string =>
  `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
