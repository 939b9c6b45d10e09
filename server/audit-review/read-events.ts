import { logLines } from "../audit/log-lines.ts";
import { decodeLine, type ReadLine } from "./decode-line.ts";

/** The events of a log that can be read, streamed. What can't is for `pep audit verify` to name. */
export const readEvents = function* (directory: string): Generator<ReadLine> {
  for (const { content } of logLines(directory)) {
    if (content.kind !== "line") continue;
    const line = decodeLine(content.bytes);
    if (line !== undefined) yield line;
  }
};
