import { pastedId, plainText, withoutBlanks } from "./pasted-text.ts";
import { isNameWithoutTricks } from "./harmless-text.ts";

/** A part of a name may begin with anything that a name may hold; `*`, `?` and `%` are in none. */
const piece = /^[\p{L}\p{M}\p{N}_.$!#&()@^{}~-]{1,64}$/u;
const idPiece = /^[0-9A-F-]{1,36}$/i;

/** Letters and digits: a piece of dots and hyphens is in every name. */
const telling = (text: string): number => text.match(/[\p{L}\p{N}]/gu)?.length ?? 0;

/** A key id as somebody reads it out: in groups with blanks between them, which no name has. */
const spokenId = /^[0-9A-F]{1,12}(?: +[0-9A-F]{1,12})+$/i;

/** The digits in the groups of a GUID, as far as they go. */
const inGroups = (digits: string): string =>
  [digits.slice(0, 8), digits.slice(8, 12), digits.slice(12, 16), digits.slice(16, 20), digits.slice(20)]
    .filter((group) => group !== "")
    .join("-");

/** A part of a computer's name or of a key id, as it was typed or pasted; undefined where it can be neither. */
export const canonicalSearchPiece = (typed: string): string | undefined => {
  const pasted = typed.includes(":") ? pastedId(typed) : withoutBlanks(plainText(typed));
  const text = (spokenId.test(pasted) ? inGroups(pasted.replaceAll(" ", "")) : pasted).normalize("NFC");
  return piece.test(text) && text.normalize("NFKC") === text && isNameWithoutTricks(text) ? text : undefined;
};

export interface ShortestPieces {
  readonly minimumNameCharacters: number;
  readonly minimumIdCharacters: number;
}

/** What a piece is searched as; nothing where it is too short for either. */
export const readSearchPiece = (
  text: string,
  { minimumNameCharacters, minimumIdCharacters }: ShortestPieces,
): { readonly name: string | undefined; readonly keyId: string | undefined } => {
  const id = text.replace(/^\{|\}$/g, "");
  return {
    name: telling(text) >= minimumNameCharacters ? text : undefined,
    keyId: idPiece.test(id) && telling(id) >= minimumIdCharacters ? id.toUpperCase() : undefined,
  };
};
