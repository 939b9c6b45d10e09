import { isUtf8 } from "node:buffer";
import { BrokenFile } from "./reading.ts";
import { createSingleByteDecoder } from "./single-byte-text.ts";

const newline = 0x0a;
const markBytes = 4;
/** A line longer than this is handed on in pieces (JSON on one line), so that memory stays flat. */
const largestPiece = 64 * 1024;

const startsWith = (bytes: Uint8Array, ...mark: readonly number[]): boolean =>
  mark.every((byte, index) => bytes[index] === byte);

/** Steps back from `end` to the first byte of the UTF-8 character that would be cut in two there (RFC 3629 §3). */
const characterBoundary = (bytes: Uint8Array, end: number): number => {
  for (let back = 1; back <= 3 && back <= end; back += 1) {
    const byte = bytes[end - back] ?? 0;
    if (byte >= 0xc0) return end - back;
    if (byte < 0x80) return end;
  }
  return end;
};

const text = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");

/**
 * UTF-8, or line by line a code page of Windows: `Add-Content` and ldifde write ANSI, so a name with an umlaut is one stray
 * byte. Never fails: ids and passwords are ASCII in all of them, and are checked character by character afterwards.
 */
const decodeBytes = (bytes: Uint8Array, decodeOther: (bytes: Uint8Array) => string): string => {
  if (isUtf8(bytes)) return text(bytes);
  const lines: string[] = [];
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(newline, start) + 1 || bytes.length;
    const line = bytes.subarray(start, end);
    lines.push(isUtf8(line) ? text(line) : decodeOther(line));
    start = end;
  }
  return lines.join("");
};

async function* decodeUtf8(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decodeOther = createSingleByteDecoder();
  let pending: Uint8Array = new Uint8Array(0);
  for await (const chunk of chunks) {
    const bytes = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    const lastLine = bytes.lastIndexOf(newline) + 1;
    const cut = lastLine === 0 && bytes.length >= largestPiece ? characterBoundary(bytes, bytes.length) : lastLine;
    pending = bytes.subarray(cut);
    if (cut > 0) yield decodeBytes(bytes.subarray(0, cut), decodeOther);
  }
  if (pending.length > 0) yield decodeBytes(pending, decodeOther);
}

async function* decodeUtf16(chunks: AsyncIterable<Uint8Array>, encoding: string): AsyncGenerator<string> {
  const decoder = new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
  const decode = (chunk?: Uint8Array): string => {
    try {
      return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
    } catch (error) {
      // The decoder's error says nothing but "not valid for encoding"; there is nothing in it to keep.
      if (error instanceof TypeError)
        throw new BrokenFile(undefined, "it is cut off, or not the UTF-16 it says it is.");
      throw error;
    }
  };
  for await (const chunk of chunks) yield decode(chunk);
  yield decode();
}

/** No decoder of the platform knows UTF-32, which PowerShell writes when asked. */
async function* decodeUtf32(chunks: AsyncIterable<Uint8Array>, isBigEndian: boolean): AsyncGenerator<string> {
  const damaged = (): BrokenFile => new BrokenFile(undefined, "it is cut off, or not the UTF-32 it says it is.");
  let pending: Uint8Array = new Uint8Array(0);
  for await (const chunk of chunks) {
    const bytes = Buffer.concat([pending, chunk]);
    const whole = bytes.length - (bytes.length % 4);
    let text = "";
    for (let at = 0; at < whole; at += 4) {
      const point = isBigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
      if (point > 0x10ffff) throw damaged();
      text += String.fromCodePoint(point);
    }
    pending = bytes.subarray(whole);
    yield text;
  }
  if (pending.length > 0) throw damaged();
}

/** Puts bytes that were read ahead back in front of the rest. */
async function* joined<Part>(first: readonly Part[], rest: AsyncIterator<Part>): AsyncGenerator<Part> {
  try {
    yield* first;
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}

const withoutMark = (bytes: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncIterable<string> => {
  if (startsWith(bytes, 0xef, 0xbb, 0xbf)) return decodeUtf8(joined([bytes.subarray(3)], rest));
  if (startsWith(bytes, 0xff, 0xfe, 0, 0)) return decodeUtf32(joined([bytes.subarray(4)], rest), false);
  if (startsWith(bytes, 0, 0, 0xfe, 0xff)) return decodeUtf32(joined([bytes.subarray(4)], rest), true);
  if (startsWith(bytes, 0xff, 0xfe)) return decodeUtf16(joined([bytes.subarray(2)], rest), "utf-16le");
  if (startsWith(bytes, 0xfe, 0xff)) return decodeUtf16(joined([bytes.subarray(2)], rest), "utf-16be");
  return decodeUtf8(joined([bytes], rest));
};

/**
 * CR LF, CR alone (Excel's "CSV (Macintosh)") and CR CR LF (a text redirected twice) → LF. Files that were joined have
 * a byte order mark each, and none of them is text.
 */
const withPlainLineEnds = (piece: string): string => {
  const text = piece.includes("\r") ? piece.replace(/\r+\n|\r/g, "\n") : piece;
  return text.includes("\uFEFF") ? text.replaceAll("\uFEFF", "") : text;
};

const archives: readonly (readonly [readonly number[], string])[] = [
  [[0x50, 0x4b, 0x03, 0x04], "this is an Excel workbook or an archive. Save the sheet as CSV UTF-8, and import that."],
  [
    [0xd0, 0xcf, 0x11, 0xe0],
    "this is a workbook or document of old Office. Save it as CSV or plain text, and import that.",
  ],
];

/**
 * Bytes → pieces of text, by byte order mark, with `\n` line ends and none of them empty.
 *
 * @throws BrokenFile for a workbook, and on a NUL: a database, or UTF-16 without its mark
 */
export async function* decodeText(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const iterator = chunks[Symbol.asyncIterator]();
  try {
    let start: Uint8Array = new Uint8Array(0);
    while (start.length < markBytes) {
      const next = await iterator.next();
      if (next.done === true) break;
      start = Buffer.concat([start, next.value]);
    }
    const archive = archives.find(([mark]) => startsWith(start, ...mark));
    if (archive !== undefined) throw new BrokenFile(undefined, archive[1]);
    let carriageReturns = "";
    for await (const decoded of withoutMark(start, iterator)) {
      let piece = carriageReturns + decoded;
      // CR LF may be cut in two between pieces.
      carriageReturns = piece.endsWith("\r") ? (/\r+$/.exec(piece)?.[0] ?? "") : "";
      piece = withPlainLineEnds(piece.slice(0, piece.length - carriageReturns.length));
      if (piece.includes("\0")) {
        throw new BrokenFile(undefined, "it is not a text file, or it is UTF-16 without a byte order mark.");
      }
      if (piece !== "") yield piece;
    }
    if (carriageReturns !== "") yield "\n";
  } finally {
    await iterator.return?.();
  }
}

/**
 * Reads ahead until there is enough text to tell the file's form by.
 *
 * @returns the beginning, and the whole text including it
 */
export const lookAhead = async (
  pieces: AsyncIterable<string>,
  characters: number,
): Promise<{ readonly head: string; readonly text: AsyncIterable<string> }> => {
  const iterator = pieces[Symbol.asyncIterator]();
  let head = "";
  while (head.length < characters) {
    const next = await iterator.next();
    if (next.done === true) break;
    head += next.value;
  }
  return { head, text: joined([head], iterator) };
};
