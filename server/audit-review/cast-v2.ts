import type { FileHandle } from "node:fs/promises";
import { piecesInTurns, piecesOf, type Piece } from "../audit/log-lines.ts";

interface Header {
  readonly term?: { readonly cols?: number; readonly rows?: number; readonly type?: string };
  readonly timestamp?: number;
  readonly title?: string;
}

/** A line that is damaged is left out: the rest of the session can still be watched. */
const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** Makes v2 of the lines of v3, one after the other; undefined for what v2 has not. */
const toV2 = (): ((piece: Piece) => string | undefined) => {
  let elapsedMs = 0;
  let isFirst = true;
  return ({ bytes, whole }) => {
    const text = bytes.toString("utf8");
    if (!whole || text === "" || text.startsWith("#")) return undefined;
    const line = parse(text);
    if (isFirst) {
      isFirst = false;
      const { term, timestamp, title } = Object(line) as Header; // our own file; a field that is not there stays out
      return `${JSON.stringify({ version: 2, width: term?.cols ?? 80, height: term?.rows ?? 24, timestamp, title, env: { TERM: term?.type ?? "" } })}\n`;
    }
    if (!Array.isArray(line)) return undefined;
    const [seconds, code, content]: unknown[] = line;
    const intervalMs = Math.round(Number(seconds) * 1000);
    if (!Number.isFinite(intervalMs)) return undefined;
    elapsedMs += intervalMs;
    return code === "x" ? undefined : `${JSON.stringify([elapsedMs / 1000, code, content])}\n`;
  };
};

/**
 * An asciicast v3 file as v2, for players that know no later one (Debian's asciinema 2.2): times from the start instead of from
 * the event before, and no exit event, which v2 doesn't have.
 */
export const castLinesV2 = function* (path: string): Generator<string> {
  const convert = toV2();
  for (const piece of piecesOf(path)) {
    const line = convert(piece);
    if (line !== undefined) yield line;
  }
};

/** The same of an open file of so many bytes, beside everybody else's work. */
export const castLinesV2InTurns = async function* (file: FileHandle, bytes: number): AsyncGenerator<string> {
  const convert = toV2();
  for await (const pieces of piecesInTurns(file, bytes)) {
    for (const piece of pieces) {
      const line = convert(piece);
      if (line !== undefined) yield line;
    }
  }
};

/** The file as it is, in pieces. */
export const castLines = function* (path: string): Generator<string> {
  for (const { bytes, whole } of piecesOf(path)) yield `${bytes.toString("utf8")}${whole ? "\n" : ""}`;
};
