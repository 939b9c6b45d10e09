import { SqlError, syntaxError } from "./sql-error.ts";

export type Token =
  | { readonly kind: "word" | "symbol" | "number"; readonly text: string }
  | { readonly kind: "string"; readonly text: string }
  | { readonly kind: "binary"; readonly text: string; readonly bytes: Buffer };

/** What a literal without N becomes: the database's code page, with best-fit mapping, which makes an apostrophe of some letters. */
const inCodePage = (text: string): string =>
  text.replace(/[\u02bc\u02b9\uff07]/g, "'").replace(/[^\x00-\x7f\xa0-\xff]/g, "?");

/** A backslash before a line break continues the line: both are taken out of the constant. */
const withoutContinuations = (text: string): string => text.replace(/\\\r?\n/g, "");

const skipComment = (sql: string, from: number): number => {
  let depth = 0;
  let at = from;
  do {
    if (sql.startsWith("/*", at)) depth += 1;
    else if (sql.startsWith("*/", at)) depth -= 1;
    else at -= 1;
    at += 2;
    if (at > sql.length) throw new SqlError(113, "Missing end comment mark '*/'.", 15);
  } while (depth > 0);
  return at;
};

const blank = /\s+|--[^\n]*/y;
const literalStart = /N?'/iy;
const literal = /(N?)'((?:[^']|'')*)'/iy;
const simple =
  /(?<binary>0x[0-9a-f]*)|(?<number>\d+)|(?<word>@{0,2}[a-z_#][\w#$]*)|\[(?<bracketed>[^\]]+)\]|(?<symbol>::|[(),;=.>*<+-])/iy;

const matchAt = (pattern: RegExp, sql: string, at: number): RegExpExecArray | null => {
  pattern.lastIndex = at;
  return pattern.exec(sql);
};

const toToken = (match: RegExpExecArray): Token => {
  const { binary, number, word, bracketed, symbol } = match.groups ?? {};
  if (binary !== undefined) {
    const digits = binary.slice(2);
    return { kind: "binary", text: binary, bytes: Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, "hex") };
  }
  if (number !== undefined) return { kind: "number", text: number };
  if (symbol !== undefined) return { kind: "symbol", text: symbol };
  return { kind: "word", text: word ?? bracketed ?? "" };
};

/** T-SQL as tokens: comments nested, `''` inside strings, N or not. An open string is 105. */
const tokenize = (sql: string): readonly Token[] => {
  const tokens: Token[] = [];
  for (let at = 0; at < sql.length;) {
    const space = matchAt(blank, sql, at);
    if (space !== null) {
      at += space[0].length;
    } else if (sql.startsWith("/*", at)) {
      at = skipComment(sql, at);
    } else if (matchAt(literalStart, sql, at) !== null) {
      const match = matchAt(literal, sql, at);
      if (match === null) throw new SqlError(105, "Unclosed quotation mark after the character string.", 15);
      const [whole, national = "", body = ""] = match;
      const text = withoutContinuations(body.replaceAll("''", "'"));
      tokens.push({ kind: "string", text: national === "" ? inCodePage(text) : text });
      at += whole.length;
    } else {
      const match = matchAt(simple, sql, at);
      if (match === null) throw syntaxError(sql.slice(at, at + 10));
      tokens.push(toToken(match));
      at += match[0].length;
    }
  }
  return tokens;
};

/** Walks over tokens; whatever is not as wanted is a syntax error near it. */
export class TokenReader {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(sql: string) {
    this.#tokens = tokenize(sql);
  }

  get atEnd(): boolean {
    return this.#at >= this.#tokens.length;
  }

  #unexpected(): SqlError {
    return syntaxError(this.#tokens[this.#at]?.text ?? this.#tokens.at(-1)?.text ?? "");
  }

  /** Takes these words and symbols if they are next, all of them. */
  has(text: string): boolean {
    const wanted = text.split(" ");
    const isNext = wanted.every((part, i) => {
      const token = this.#tokens[this.#at + i];
      return (
        token !== undefined &&
        token.kind !== "string" &&
        token.kind !== "binary" &&
        token.text.toUpperCase() === part.toUpperCase()
      );
    });
    if (isNext) this.#at += wanted.length;
    return isNext;
  }

  expect(text: string): void {
    if (!this.has(text)) throw this.#unexpected();
  }

  #take(kind: Token["kind"]): Token {
    const token = this.#tokens[this.#at];
    if (token?.kind !== kind) throw this.#unexpected();
    this.#at += 1;
    return token;
  }

  name(): string {
    return this.#take("word").text;
  }

  string(): string {
    return this.#take("string").text;
  }

  binary(): Buffer {
    const token = this.#take("binary");
    if (token.kind !== "binary") throw this.#unexpected();
    return token.bytes;
  }

  fail(): never {
    throw this.#unexpected();
  }
}
