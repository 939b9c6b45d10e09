import { createHash } from "node:crypto";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { readTextOfRecord } from "./open-of-record.ts";
import { recentLine } from "./read-recent-log.ts";

/** Number of the event, name, digest, which may be empty, and length, where the event has one. */
type EndedTranscript = readonly [seq: number, name: string, digest: string, bytes: number | null];

/** By hand: zod takes twice as long, 0.2 s more for 100,000. */
const areTranscripts = (value: unknown): value is EndedTranscript[] =>
  Array.isArray(value) &&
  value.every(
    (one: unknown) =>
      Array.isArray(one) &&
      one.length === 4 &&
      Number.isSafeInteger(one[0]) &&
      typeof one[1] === "string" &&
      typeof one[2] === "string" &&
      (one[3] === null || Number.isSafeInteger(one[3])),
  );

/** An event that is remembered, and its number. */
const kept = z.tuple([z.number().int(), z.looseObject({ type: z.string() })]);

/**
 * What a reader of the log up to an event has to remember, so that nobody needs to read that far again. It says what was read and
 * judges nothing: what permits what is asked again at each start, with what came since.
 */
const summary = z.strictObject({
  /** 1 had no lengths of transcripts: such a summary counts for nothing, and another is made. */
  version: z.literal(2),
  /** Number of the last event of the last segment that it is about. */
  through: z.number().int(),
  /** The tree over those events: its complete subtrees, largest first, base64. */
  subtrees: z.array(z.string()),
  segments: z.array(
    z.strictObject({
      firstSeq: z.number().int(),
      lastSeq: z.number().int(),
      bytes: z.number().int(),
      pruned: z.boolean(),
    }),
  ),
  /** What becomes of the log and of the site database, and sessions that have not ended. */
  events: z.array(kept),
  /** Of sessions that ended. */
  transcripts: z.custom<EndedTranscript[]>(areTranscripts),
  recent: z.array(recentLine),
});

export type Summary = z.infer<typeof summary>;
export type SummarizedSegment = Summary["segments"][number];

export const summariesIn = (auditDirectory: string): string => join(auditDirectory, "summaries");

/** Named as the segment after it. */
export const summaryName = (through: number): string => `${String(through + 1).padStart(12, "0")}.json`;

const digestOf = (text: string): string => createHash("sha256").update(text).digest("hex");

export const encodeSummary = (content: Summary): { readonly text: string; readonly digest: string } => {
  const text = JSON.stringify(content);
  return { text, digest: digestOf(text) };
};

export interface FoundSummary {
  readonly summary: Summary;
  /** What an event of the log must say of it. */
  readonly digest: string;
}

/** Some hundred thousand transcripts are in it; a file that claims more is not read. */
const longestSummary = 128 * 1024 * 1024;

/** @returns undefined where it is none: then everything is read */
const readSummary = (path: string): FoundSummary | undefined => {
  try {
    const text = readTextOfRecord(path, longestSummary);
    const { data } = summary.safeParse(JSON.parse(text));
    return data && { summary: data, digest: digestOf(text) };
  } catch {
    return undefined;
  }
};

/** The summaries that lie beside the log, the newest first. Nothing says yet that they are ours. */
export const findSummaries = function* (auditDirectory: string): Generator<FoundSummary> {
  const directory = summariesIn(auditDirectory);
  if (!existsSync(directory)) return;
  const names = readdirSync(directory).filter((name) => /^\d{12}\.json$/.test(name));
  for (const name of names.toSorted().toReversed()) {
    const found = readSummary(join(directory, name));
    if (found !== undefined && name === summaryName(found.summary.through)) yield found;
  }
};

/** Takes summaries away: they name what the log has no longer. @param except the one that counts */
export const removeSummaries = (directory: string, except?: string): void => {
  const folder = summariesIn(directory);
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) if (name !== except) rmSync(join(folder, name), { force: true });
};
