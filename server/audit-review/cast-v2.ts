import { piecesOf } from "../audit/log-lines.ts";

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

/**
 * An asciicast v3 file as v2, for players that know no later one (Debian's asciinema 2.2): times from the start instead of from
 * the event before, and no exit event, which v2 doesn't have.
 */
export const castLinesV2 = function* (path: string): Generator<string> {
  let elapsedMs = 0;
  let isFirst = true;
  for (const { bytes, whole } of piecesOf(path)) {
    const text = bytes.toString("utf8");
    if (!whole || text === "" || text.startsWith("#")) continue;
    const line = parse(text);
    if (isFirst) {
      isFirst = false;
      const { term, timestamp, title } = Object(line) as Header; // our own file; a field that is not there stays out
      yield `${JSON.stringify({ version: 2, width: term?.cols ?? 80, height: term?.rows ?? 24, timestamp, title, env: { TERM: term?.type ?? "" } })}\n`;
      continue;
    }
    if (!Array.isArray(line)) continue;
    const [seconds, code, content]: unknown[] = line;
    const intervalMs = Math.round(Number(seconds) * 1000);
    if (!Number.isFinite(intervalMs)) continue;
    elapsedMs += intervalMs;
    if (code !== "x") yield `${JSON.stringify([elapsedMs / 1000, code, content])}\n`;
  }
};

/** The file as it is, in pieces. */
export const castLines = function* (path: string): Generator<string> {
  for (const { bytes, whole } of piecesOf(path)) yield `${bytes.toString("utf8")}${whole ? "\n" : ""}`;
};
