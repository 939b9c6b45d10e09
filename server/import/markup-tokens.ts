import { BrokenFile } from "./reading.ts";

/** A piece of XML or HTML. Comments, declarations, and the texts of scripts and style sheets are left out. */
export type MarkupToken =
  | {
      readonly kind: "open" | "close" | "alone";
      readonly line: number;
      readonly tag: string;
      readonly attributes: string;
    }
  | { readonly kind: "text"; readonly line: number; readonly text: string };

/** Far more than one tag, comment or text between tags has. */
const longestToken = 1024 * 1024;
/** No `<` inside, so that a text of nothing but `<` is read in one go. */
const tag = /<(\/?)([A-Za-z][\w:.-]*)((?:[^<>"']|"[^"<]*"|'[^'<]*')*)>/y;
const leftOut = /<!--[^]*?-->|<[!?][^>]*>|<(script|style)\b[^>]*>[^]*?<\/\1\s*>/iy;

const named: ReadonlyMap<string, string> = new Map([
  ["lt", "<"],
  ["gt", ">"],
  ["amp", "&"],
  ["quot", '"'],
  ["apos", "'"],
  ["nbsp", " "],
]);

/** Takes `&amp;` and `&#220;` out; a name that isn't known stays, and is refused where a computer's name is wanted. */
const unescape = (text: string): string =>
  text.includes("&")
    ? text.replace(/&(?:#(\d{1,7})|#x([0-9A-F]{1,6})|([a-z]{2,6}));/gi, (whole, decimal, hexadecimal, name) => {
        if (typeof name === "string") return named.get(name.toLowerCase()) ?? whole;
        const point = typeof decimal === "string" ? Number(decimal) : Number.parseInt(String(hexadecimal), 16);
        return point <= 0x10ffff ? String.fromCodePoint(point) : whole;
      })
    : text;

const newlinesIn = (text: string): number => (text.includes("\n") ? text.split("\n").length - 1 : 0);

/** @returns the attribute's value, without its quotes */
export const attributeIn = (attributes: string, ...names: readonly string[]): string | undefined => {
  for (const { 1: name = "", 2: value, 3: other } of attributes.matchAll(/([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)) {
    if (names.includes(name.toLowerCase())) return unescape(value ?? other ?? "");
  }
  return undefined;
};

interface Scan {
  readonly tokens: readonly MarkupToken[];
  /** Where the first token begins that is not whole yet. */
  readonly end: number;
}

const scan = (text: string, firstLine: number, isLast: boolean): Scan => {
  const tokens: MarkupToken[] = [];
  let line = firstLine;
  let at = 0;
  for (;;) {
    const next = text.indexOf("<", at);
    if (next === -1 && !isLast) return { tokens, end: at };
    const between = text.slice(at, next === -1 ? undefined : next);
    if (between.trim() !== "")
      tokens.push({ kind: "text", line: line + newlinesIn(/^\s*/.exec(between)?.[0] ?? ""), text: unescape(between) });
    if (next === -1) return { tokens, end: text.length };
    line += newlinesIn(between);
    leftOut.lastIndex = next;
    tag.lastIndex = next;
    const other = leftOut.exec(text);
    const found = other === null ? tag.exec(text) : null;
    if (other === null && found === null && !isLast && text.indexOf("<", next + 1) === -1) return { tokens, end: next };
    if (found !== null) {
      const [, slash, name = "", attributes = ""] = found;
      const kind = slash === "/" ? "close" : attributes.endsWith("/") ? "alone" : "open";
      tokens.push({ kind, line, tag: name.toLowerCase(), attributes });
    }
    const whole = other?.[0] ?? found?.[0] ?? "<";
    line += newlinesIn(whole);
    at = next + whole.length;
  }
};

/** Pieces of text → the tags and texts in it. */
export async function* readMarkupTokens(pieces: AsyncIterable<string>): AsyncGenerator<readonly MarkupToken[]> {
  let pending = "";
  let line = 1;
  for await (const piece of pieces) {
    pending += piece;
    const { tokens, end } = scan(pending, line, false);
    line += newlinesIn(pending.slice(0, end));
    pending = pending.slice(end);
    if (pending.length > longestToken) throw new BrokenFile(line, "a tag or text is too long here.");
    yield tokens;
  }
  yield scan(pending, line, true).tokens;
}
