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

/** The form in which computer names are compared and ordered: without case, for all letters. */
export const foldComputerName = (name: string): string => name.normalize("NFC").toUpperCase();

/**
 * How the names of one computer begin that say more of its domain: `PC-1.` for `PC-1`. Digits alone are no computer's name in
 * Windows, but they begin an address: neither `10` nor `10.0` is `10.0.0.1`.
 */
export const beginningOfLonger = (name: string): string | undefined => (/[^\d.]/.test(name) ? `${name}.` : undefined);

/** `PC-1` of `PC-1.corp.example`; undefined where the name has no domain. */
export const shortComputerName = (name: string): string | undefined => {
  const [first = "", ...rest] = name.split(".");
  return rest.length > 0 && beginningOfLonger(first) !== undefined ? first : undefined;
};

/** `PC-1` and `PC-1.corp.example` are one computer, as far as their names tell; `PC-1.a` and `PC-1.b` are two. */
export const isSameComputer = (left: string, right: string): boolean => {
  const [one, other] = [foldComputerName(left), foldComputerName(right)];
  const begins = (longer: string, shorter: string): boolean => {
    const beginning = beginningOfLonger(shorter);
    return beginning !== undefined && longer.startsWith(beginning);
  };
  return one === other || begins(one, other) || begins(other, one);
};
