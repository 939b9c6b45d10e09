/** One part of a distinguished name: `CN=PC-0001`. */
export interface NamePart {
  /** Upper case. */
  readonly type: string;
  readonly value: string;
}

const hexPair = /^[0-9A-Fa-f]{2}/;

/** Takes the escapes out (RFC 4514 §2.4): `\,` `\+` `\\`, and `\C3\A4`, which are bytes of UTF-8. */
const unescape = (text: string): string | undefined => {
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

/** Splits a distinguished name, leaf first; undefined when it isn't one. Of `CN=a+OU=b` the first half is kept. */
export const parseDistinguishedName = (text: string): readonly NamePart[] | undefined => {
  const parts: NamePart[] = [];
  for (const part of splitAt(text, ",")) {
    const [first = ""] = splitAt(part, "+");
    const equals = first.indexOf("=");
    const value = equals === -1 ? undefined : unescape(first.slice(equals + 1).trim());
    if (equals < 1 || value === undefined) return undefined;
    parts.push({ type: first.slice(0, equals).trim().toUpperCase(), value });
  }
  return parts;
};
