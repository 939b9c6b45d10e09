import { guidInName } from "../model/guid.ts";

/** One part of a distinguished name: `CN=PC-0001`. */
export interface NamePart {
  /** Upper case. */
  readonly type: string;
  readonly value: string;
}

const hexPair = /^[0-9A-Fa-f]{2}/;

/** Takes the escapes out (RFC 4514 §2.4): `\,` `\+` `\\`, and `\C3\A4`, which are bytes of UTF-8. */
const unescape = (text: string): string | undefined => {
  if (!text.includes("\\")) return text;
  const bytes: number[] = [];
  for (let at = 0; at < text.length;) {
    if (text[at] !== "\\") {
      const character = String.fromCodePoint(text.codePointAt(at) ?? 0);
      bytes.push(...Buffer.from(character));
      at += character.length;
      continue;
    }
    const rest = text.slice(at + 1);
    const pair = hexPair.exec(rest)?.[0];
    if (rest === "") return undefined;
    if (pair === undefined) {
      bytes.push(...Buffer.from(rest.charAt(0)));
      at += 2;
    } else {
      bytes.push(Number.parseInt(pair, 16));
      at += 3;
    }
  }
  return Buffer.from(bytes).toString("utf8");
};

const splitAt = (text: string, separator: string): string[] => {
  if (!text.includes("\\")) return text.split(separator);
  const parts: string[] = [];
  let start = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === separator) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  return [...parts, text.slice(start)];
};

/**
 * Active Directory renames an object that lost a conflict, or was deleted: a line feed, `CNF:` or `DEL:`, and a GUID follow
 * its name (MS-ADTS 3.1.1.5.5).
 */
const renamed = /\n(?:CNF|DEL):[0-9a-f-]{36}$/i;

/** Splits a distinguished name, leaf first; undefined when it isn't one. Of `CN=a+OU=b` the first half is kept. */
export const parseDistinguishedName = (text: string): readonly NamePart[] | undefined => {
  const parts: NamePart[] = [];
  for (const part of splitAt(text, ",")) {
    const [first = ""] = splitAt(part, "+");
    const equals = first.indexOf("=");
    const value = equals === -1 ? undefined : unescape(first.slice(equals + 1).trim());
    if (equals < 1 || value === undefined) return undefined;
    parts.push({
      type: first.slice(0, equals).trim().toUpperCase(),
      value: value.includes("\n") ? value.replace(renamed, "") : value,
    });
  }
  return parts;
};

/** `CN=2021-…{GUID},CN=PC-0001,…` is of the recovery object, `CN=PC-0001,…` of the computer itself. */
export const computerInName = (distinguishedName: string): string | undefined =>
  computerInParts(parseDistinguishedName(distinguishedName) ?? []);

export const computerInParts = ([first, second]: readonly NamePart[]): string | undefined => {
  if (first === undefined || guidInName(first.value) === undefined) return first?.value;
  // A deleted object hangs below `CN=Deleted Objects`, which is no computer.
  return second?.type === "CN" && second.value.toLowerCase() !== "deleted objects" ? second.value : undefined;
};
