import { piecesOf } from "../../audit/log-lines.ts";
import { scriptJson } from "./html.ts";

const lineOf = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

const isHeader = (line: unknown): boolean =>
  typeof line === "object" && line !== null && "version" in line && line.version === 3 && "term" in line;

const isEvent = (line: unknown): boolean =>
  Array.isArray(line) && typeof line[0] === "number" && typeof line[1] === "string" && typeof line[2] === "string";

/**
 * A transcript as one JSON array for a script block, in pieces: the header, then the events. What is no line of an asciicast v3
 * file is left out; that the file was changed is for the verification to say.
 */
export const castAsJson = function* (path: string): Generator<string> {
  let count = 0;
  yield "[";
  try {
    for (const { bytes, whole } of piecesOf(path)) {
      const line = whole ? lineOf(bytes.toString("utf8")) : undefined;
      if (!(count === 0 ? isHeader(line) : isEvent(line))) continue;
      yield `${count === 0 ? "" : ",\n"}${scriptJson(line)}`;
      count += 1;
    }
  } catch {
    // A file that can't be read to its end: what was read is shown, and the array must be closed all the same.
  }
  yield "]";
};
