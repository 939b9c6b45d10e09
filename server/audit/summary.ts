import { createHash, sign, verify, type KeyObject } from "node:crypto";
import { lstatSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { replaceFile } from "../files/replace-file.ts";
import { findSegments } from "./log-lines.ts";
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

/** Signed, so that nothing is decoded that somebody else put there: that may take hours and all memory. Worth no more than that. */
const signedText = (digest: string): Buffer => Buffer.from(`pep-audit-summary/v1\n${digest}\n`);

/** @returns the first line of its file, base64 */
export const signSummary = (digest: string, key: KeyObject): string =>
  sign(null, signedText(digest), key).toString("base64");

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
const signatureLine = /^[A-Za-z0-9+/]{86}==\n/;

/** @returns undefined where it is none, or not signed with this key: then everything is read */
const readSummary = (path: string, key: KeyObject): FoundSummary | undefined => {
  try {
    const file = readTextOfRecord(path, longestSummary);
    const [first = ""] = signatureLine.exec(file) ?? [];
    const text = file.slice(first.length);
    const digest = digestOf(text);
    if (!verify(null, signedText(digest), key, Buffer.from(first, "base64"))) return undefined;
    const { data } = summary.safeParse(JSON.parse(text));
    return data && { summary: data, digest };
  } catch {
    return undefined;
  }
};

/** One counts, and a crash may leave one more. */
const mostRead = 4;

/** Names of files in the folder of summaries. None where a link leads elsewhere: what lies there is not the record's. */
const namesIn = (folder: string): readonly string[] =>
  lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() === true
    ? readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [] : [entry.name]))
    : [];

/**
 * The summaries that lie beside the log, the newest first. Nothing says yet that they are of this log.
 *
 * @param key the log's public key
 */
export const findSummaries = function* (auditDirectory: string, key: KeyObject): Generator<FoundSummary> {
  const directory = summariesIn(auditDirectory);
  const isBegun = new Set(findSegments(join(auditDirectory, "log")).map(({ firstSeq }) => summaryName(firstSeq - 1)));
  const names = namesIn(directory).filter((name) => isBegun.has(name));
  for (const name of names.toSorted().toReversed().slice(0, mostRead)) {
    const found = readSummary(join(directory, name), key);
    if (found !== undefined && name === summaryName(found.summary.through)) yield found;
  }
};

/** As `summaryName` and `replaceFile` name them. */
const ours = /^(?:\d{12}\.json|\.\d{12}\.json\.[0-9a-f]{16})$/;

/** Takes summaries away: they name what the log has no longer. @param except the one that counts */
export const removeSummaries = (directory: string, except?: string): void => {
  const folder = summariesIn(directory);
  for (const name of namesIn(folder)) {
    if (name !== except && ours.test(name)) rmSync(join(folder, name), { force: true });
  }
};

/** Puts one there. @throws Error where the folder is a link: it may lead to another of the server's */
export const writeSummary = async (directory: string, through: number, text: string): Promise<void> => {
  const folder = summariesIn(directory);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (!lstatSync(folder).isDirectory()) throw new Error(`${folder} is a link`);
  await replaceFile(join(folder, summaryName(through)), text);
};
