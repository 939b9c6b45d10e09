import { appendFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { KeyObject } from "node:crypto";
import { join } from "node:path";
import { originOf, signCheckpoint } from "../../server/audit/checkpoint.ts";
import { CompactRange, leafHash } from "../../server/audit/merkle-tree.ts";
import type { MadeRecord } from "./record.ts";

export const segments = ({ dataDirectory }: MadeRecord): string[] =>
  readdirSync(join(dataDirectory, "audit", "log"))
    .filter((name) => name.endsWith(".ndjson"))
    .sort()
    .map((name) => join(dataDirectory, "audit", "log", name));

export const segment = (made: MadeRecord, index: number): string => segments(made).at(index) ?? "";
export const transcript = ({ dataDirectory }: MadeRecord, id: string): string =>
  join(dataDirectory, "audit", "transcripts", `${id}.cast`);
export const checkpoint = ({ dataDirectory }: MadeRecord): string => join(dataDirectory, "audit", "checkpoint");
export const history = ({ dataDirectory }: MadeRecord): string => join(dataDirectory, "audit", "checkpoint-history");

export const firstCheckpoint = (made: MadeRecord): string =>
  `${readFileSync(history(made), "utf8").split("\n").slice(0, 5).join("\n")}\n`;

export const withoutLine = (text: string, index: number): string =>
  text
    .split("\n")
    .filter((_, at) => at !== index)
    .join("\n");

export const swapLines = (text: string): string => {
  const [first = "", second = "", ...rest] = text.split("\n");
  return [second, first, ...rest].join("\n");
};

/** As somebody without the key can: a line whose number is the next one. */
export const append = (made: MadeRecord, event: Readonly<Record<string, unknown>>, signature?: string): void =>
  appendFileSync(
    segment(made, -1),
    `${JSON.stringify({ seq: 11, at: new Date().toISOString(), uptimeMs: 1, event, signature })}\n`,
  );

/** The log goes on under another key, as whoever has that key can make it. */
export const signWith = (made: MadeRecord, key: KeyObject): void => {
  const lines = segments(made).flatMap((path) => readFileSync(path, "utf8").trimEnd().split("\n"));
  const leaves = lines.map((line) => leafHash(Buffer.from(line)));
  const tree = new CompactRange();
  for (const leaf of leaves) tree.append(leaf);
  const origin = originOf(leaves[0] ?? Buffer.alloc(0));
  const note = signCheckpoint({ origin, size: tree.size, root: tree.root() }, [key]);
  writeFileSync(checkpoint(made), note);
  appendFileSync(history(made), note);
};

export const hashSegment = (path: string): void => {
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  writeFileSync(path.replace("ndjson", "hashes"), Buffer.concat(lines.map((line) => leafHash(Buffer.from(line)))));
  rmSync(path);
};
