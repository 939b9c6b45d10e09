/** Where decoding goes on: enough to begin anew in the middle of a file, even inside a long event. */
export interface CastPlace {
  /** Byte of the file. */
  readonly at: number;
  /** Recorded time of the event before. */
  readonly timeMs: number;
  readonly inside: "header" | "line" | "output" | "rest of a line";
}

/** An event with its time from the start, and where it begins. One `o` of the file may come as several, at the same time. */
export type CastEvent = { readonly timeMs: number; readonly place: CastPlace } & (
  | { readonly kind: "output"; readonly text: string }
  | { readonly kind: "resize"; readonly columns: number; readonly rows: number }
  | { readonly kind: "marker"; readonly label: string }
  | { readonly kind: "exit" }
  /** The file's first line. */
  | { readonly kind: "header"; readonly columns: number; readonly rows: number }
);

export interface DecodedCast {
  readonly events: readonly CastEvent[];
  readonly next: CastPlace;
  /** Lines that are no events of an asciicast v3 file. */
  readonly malformed: number;
}

export const castStart: CastPlace = { at: 0, timeMs: 0, inside: "header" };

/** An event's text comes in parts of at most so many bytes, so that one of any size needs no more memory than this. */
const longestPart = 16 * 1024;
/** No other line is longer than this: a marker names at most a page of keys. */
const longestLine = 64 * 1024;
const longestHead = 64;
const largestSide = 1000;

const newline = 0x0a;
const quote = 0x22;
const hash = 0x23;
const backslash = 0x5c;
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const outputHead = /^\s*\[\s*(\d{1,9}(?:\.\d{1,9})?)\s*,\s*"o"\s*,\s*"/;

const isContinuation = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80;

/** How many bytes the character beginning with this one has. */
const characterBytes = (lead: number): number => (lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4);

/** The end of the text that begins here: its closing quote, a line end, or where it must be cut so that no character and no escape is. */
const textEnd = (bytes: Uint8Array, from: number, isLast: boolean): number => {
  const limit = Math.min(bytes.length, from + longestPart);
  let at = from;
  while (at < limit) {
    const byte = bytes[at] ?? 0;
    if (byte === quote || byte === newline) return at;
    const length = byte === backslash ? (bytes[at + 1] === 0x75 ? 6 : 2) : characterBytes(byte);
    // Half of a character at the end of what is there: wait for the rest of it.
    if (at + length > bytes.length && !isLast) return at;
    at += 1;
    for (let rest = 1; rest < length && at < bytes.length; rest += 1) {
      if (byte === backslash ? bytes[at] === newline : !isContinuation(bytes[at])) break;
      at += 1;
    }
  }
  return at;
};

/** What stands in a JSON string. Undefined when it can't stand there. */
const unescape = (bytes: Uint8Array): string | undefined => {
  const text = utf8.decode(bytes);
  if (!/[\\\u0000-\u001f]/.test(text)) return text;
  try {
    const decoded: unknown = JSON.parse(`"${text}"`);
    return typeof decoded === "string" ? decoded : undefined;
  } catch {
    return undefined;
  }
};

const side = (raw: unknown): number | undefined => {
  const value = typeof raw === "string" && /^\d{1,4}$/.test(raw) ? Number(raw) : raw;
  return typeof value === "number" && Number.isInteger(value) && value > 0 ? Math.min(value, largestSide) : undefined;
};

const decodeHeader = (raw: unknown): { columns: number; rows: number } | undefined => {
  if (typeof raw !== "object" || raw === null || !("version" in raw) || raw.version !== 3) return undefined;
  const term = "term" in raw && typeof raw.term === "object" && raw.term !== null ? raw.term : {};
  const columns = "cols" in term ? side(term.cols) : undefined;
  const rows = "rows" in term ? side(term.rows) : undefined;
  return columns === undefined || rows === undefined ? undefined : { columns, rows };
};

const parse = (bytes: Uint8Array): unknown => {
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch {
    return undefined;
  }
};

const intervalMs = (raw: unknown): number =>
  typeof raw === "number" && Number.isFinite(raw) && raw > 0 ? Math.round(Math.min(raw, 1e9) * 1000) : 0;

/** A whole line that is not output; `undefined` for one that is no event at all, `"other"` for a kind that players skip. */
const decodeLine = (raw: unknown, place: CastPlace): CastEvent | "other" | undefined => {
  if (!Array.isArray(raw) || raw.length !== 3) return undefined;
  const [interval, code, content]: unknown[] = raw;
  if (typeof interval !== "number" || typeof code !== "string" || typeof content !== "string") return undefined;
  const timeMs = place.timeMs + intervalMs(interval);
  if (code === "m") return { kind: "marker", label: content, timeMs, place };
  if (code === "x") return { kind: "exit", timeMs, place };
  if (code === "o") return { kind: "output", text: content, timeMs, place };
  if (code !== "r") return "other";
  const [columns, rows, ...more] = content.split("x").map(side);
  if (columns === undefined || rows === undefined || more.length > 0) return undefined;
  return { kind: "resize", columns, rows, timeMs, place };
};

/** Takes one piece of a file apart, one line or part of a line after the other. */
class PieceDecoder {
  readonly #bytes: Uint8Array;
  readonly #from: CastPlace;
  readonly #isLast: boolean;
  readonly #events: CastEvent[] = [];
  #timeMs: number;
  #inside: CastPlace["inside"];
  #at = 0;
  #malformed = 0;

  constructor(bytes: Uint8Array, from: CastPlace, isLast: boolean) {
    this.#bytes = bytes;
    this.#from = from;
    this.#isLast = isLast;
    this.#timeMs = from.timeMs;
    this.#inside = from.inside;
  }

  decode(): DecodedCast {
    let goesOn = true;
    while (goesOn && this.#at < this.#bytes.length && !this.#headIsCut()) goesOn = this.#takeNext();
    return { events: this.#events, next: this.#here(), malformed: this.#malformed };
  }

  #here(): CastPlace {
    return { at: this.#from.at + this.#at, timeMs: this.#timeMs, inside: this.#inside };
  }

  /** A head that the end of the piece cuts looks like another line. */
  #headIsCut(): boolean {
    if (this.#inside !== "line" || this.#isLast || this.#bytes.length - this.#at >= longestHead) return false;
    return this.#bytes.indexOf(newline, this.#at) < 0;
  }

  /** @returns false when more bytes are needed */
  #takeNext(): boolean {
    if (this.#inside === "output") return this.#takeText();
    if (this.#inside === "rest of a line") return this.#takeRest();
    return this.#takeHead() || this.#takeLine();
  }

  /** Output, a part at a time. */
  #takeText(): boolean {
    const end = textEnd(this.#bytes, this.#at, this.#isLast);
    const stop = this.#bytes[end];
    if (end === this.#at && stop !== quote && stop !== newline) return false;
    if (end > this.#at) {
      const text = unescape(this.#bytes.subarray(this.#at, end));
      if (text === undefined) this.#malformed += 1;
      this.#events.push({ kind: "output", text: text ?? "\ufffd", timeMs: this.#timeMs, place: this.#here() });
      this.#at = end;
    }
    if (stop === quote) {
      this.#inside = "rest of a line";
      this.#at += 1;
    } else if (stop === newline) {
      // The string was never closed.
      this.#malformed += 1;
      this.#inside = "line";
      this.#at += 1;
    }
    return true;
  }

  /** The beginning of output, up to its text. @returns false when it is another line */
  #takeHead(): boolean {
    if (this.#inside !== "line" || this.#bytes[this.#at] === hash) return false;
    const head = outputHead.exec(utf8.decode(this.#bytes.subarray(this.#at, this.#at + longestHead)));
    if (head === null) return false;
    const before = this.#here();
    this.#timeMs += intervalMs(Number(head[1]));
    this.#at += head[0].length;
    this.#inside = "output";
    // Also when the text is empty: its time counts.
    this.#events.push({ kind: "output", text: "", timeMs: this.#timeMs, place: before });
    return true;
  }

  #takeLine(): boolean {
    const end = this.#bytes.indexOf(newline, this.#at);
    if (end < 0) {
      // A line without its end at the end of the file is half of one: the session goes on, or was cut off.
      if (this.#isLast || this.#bytes.length - this.#at <= longestLine) return false;
      this.#malformed += 1;
      this.#inside = "rest of a line";
      return true;
    }
    const line = this.#bytes.subarray(this.#at, end);
    const before = this.#here();
    if (this.#inside === "header") {
      const header = decodeHeader(parse(line));
      if (header === undefined) this.#malformed += 1;
      const size = header ?? { columns: 80, rows: 24 };
      this.#events.push({ kind: "header", timeMs: this.#timeMs, place: before, ...size });
      this.#inside = "line";
    } else if (line.length > 0 && line[0] !== hash) {
      const event = line.length <= longestLine ? decodeLine(parse(line), before) : undefined;
      if (event === undefined) this.#malformed += 1;
      else if (event !== "other") {
        this.#events.push(event);
        this.#timeMs = event.timeMs;
      }
    }
    this.#at = end + 1;
    return true;
  }

  #takeRest(): boolean {
    const end = this.#bytes.indexOf(newline, this.#at);
    this.#at = end < 0 ? this.#bytes.length : end + 1;
    if (end >= 0) this.#inside = "line";
    return true;
  }
}

/**
 * The events of a piece of an asciicast v3 file, from a place on. What is not complete yet is left for the next call, which
 * begins at `next`. Whatever stands in the file, nothing is thrown: a line that is no event is counted and skipped.
 *
 * @param bytes the file from `place.at` on
 * @param isLast nothing follows these bytes
 */
export const decodeCast = (bytes: Uint8Array, place: CastPlace, isLast: boolean): DecodedCast =>
  new PieceDecoder(bytes, place, isLast).decode();
