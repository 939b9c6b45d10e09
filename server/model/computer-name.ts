import { isNameWithoutTricks } from "./harmless-text.ts";
import { plainText, withoutBlanks } from "./pasted-text.ts";

/**
 * NetBIOS names and DNS names, and the device ids of Graph. Letters of any script, because Active Directory allows them;
 * not `\ / : * ? " < > |` and blanks, which Microsoft's naming conventions forbid, nor `%`, quotes and control characters.
 * Begins with a letter, digit or `_`, so that no spreadsheet takes an exported name for a formula.
 */
const computerName = /^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_.$!#&()@^{}~-]{0,254}$/u;

/** `DOMAIN\\NAME` and the `$` of sAMAccountName are how accounts are written, and no part of a computer's name. */
const domain = /^[\p{L}\p{N}._-]+\\(?=[^\\]+$)/u;

/** Most names: no rule below changes or refuses one of these. */
const plainName = /^\w[\w-]{0,254}$/;

/**
 * A computer's name in its one stored form, for what is imported and what is typed; undefined when it is none.
 *
 * Only as Unicode composes letters (NFKC): a full-width or ligature letter would pass a role's pattern as one name and be
 * compared by SQL Server's width-insensitive collations as another.
 */
export const canonicalComputerName = (text: string): string | undefined => {
  if (plainName.test(text)) return text;
  const name = withoutBlanks(plainText(text)).normalize("NFC").replace(domain, "").replace(/\$$/, "");
  // A console that cut a name ends it in three dots; no label of a DNS name is empty.
  const isWhole = computerName.test(name) && !name.includes("..");
  return isWhole && name.normalize("NFKC") === name && isNameWithoutTricks(name) ? name : undefined;
};
