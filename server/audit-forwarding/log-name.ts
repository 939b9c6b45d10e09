import { originOf } from "../audit/checkpoint.ts";
import { findSegments, linesOfSegment } from "../audit/log-lines.ts";
import { leafHash } from "../audit/merkle-tree.ts";

/** The log's name, made of its first line; undefined while it has none. */
export const nameOfLog = (directory: string): string | undefined => {
  const [first] = findSegments(directory);
  if (first === undefined) return undefined;
  const [line] = linesOfSegment(directory, first);
  if (line?.content.kind === "pruned") return originOf(line.content.leaf);
  return line?.content.kind === "line" ? originOf(leafHash(line.content.bytes)) : undefined;
};
