import { readdirSync } from "node:fs";
import { join } from "node:path";
import { stopped } from "../errors.ts";
import { refusesToStart } from "./accept-loss.ts";
import type { Collection } from "./collections.ts";
import type { Checkpointer } from "./checkpointer.ts";
import type { AuditEvent } from "./event.ts";
import { findSegments, linesInTurns, type LogLine, type Segment } from "./log-lines.ts";
import { PrunedSegments, type Permissions } from "./permissions.ts";
import type { RecentBefore } from "./read-recent-log.ts";
import { RecordPast } from "./record-past.ts";
import type { RecordLoss } from "./record-loss.ts";
import { findSignedPast } from "./signed-past.ts";
import type { SiteState } from "./site-events.ts";
import { findSummaries } from "./summary.ts";
import { grow, ReadingFromSummary } from "./read-from-summary.ts";

export interface Found {
  readonly lastSeq: number;
  readonly permissions: Permissions;
  readonly aborted: RecordPast["aborted"];
  /** Transcripts that no event names. */
  readonly unnamed: ReadonlySet<string>;
  /** The segment that the last signed line is in. */
  readonly signedSegment: string;
  readonly loss: RecordLoss;
  /** What the record says of the site database's rows. */
  readonly siteState: SiteState | undefined;
  /** The last collection of every key. */
  readonly collection: Collection | undefined;
  /** What a verification found wrong, in words, and none found gone. */
  readonly foundBefore: readonly string[];
  /** What a summary says of the log's beginning, which was not read then. */
  readonly recentBefore: RecentBefore | undefined;
}

/** A log's lines from one on, block by block, so that a stop is noticed in between. @throws EndpointError OperationStopped */
const forEachLine = async (
  log: string,
  segments: readonly Segment[],
  stop: AbortSignal | undefined,
  take: (line: LogLine) => void,
): Promise<void> => {
  for (const segment of segments) {
    for await (const lines of linesInTurns(log, segment)) {
      if (stop?.aborted === true) throw stopped();
      for (const line of lines) take(line);
    }
  }
};

/** A log that was read to its end. */
interface ReadLog {
  readonly past: RecordPast;
  readonly pruned: PrunedSegments;
  readonly checkpoints: RecordLoss["checkpoints"];
}

/** What both ways of reading find. */
const findingOf = async (
  { past, pruned, checkpoints }: ReadLog,
  { provedSize, brokenLine, tree }: Checkpointer,
  stop: AbortSignal | undefined,
) => {
  const { permissions, transcripts, aborted } = past;
  const counted = permissions.counted(provedSize);
  const counts = (seq: number): boolean => !permissions.isWorthless(seq, provedSize);
  const { missing, resized } = await transcripts.differences(counted, stop);
  const loss: RecordLoss = {
    segments: pruned.unpermitted(counted),
    // What is in both comes first, so that an event which names a part of them names it twice.
    missing: [...resized.map(({ closed }) => closed), ...missing],
    extra: [...resized.map(({ found }) => found), ...(await transcripts.extra(counted, stop))],
    checkpoints,
    ...(brokenLine === undefined ? {} : { altered: { from: provedSize + 1, to: tree.size, brokenLine } }),
  };
  const siteState = past.siteStates.newest(counts);
  const collection = past.collections.newest(counts);
  const foundBefore = past.verifications.problems(counts);
  const { unnamed } = transcripts;
  return { lastSeq: tree.size, permissions, aborted, unnamed, loss, siteState, collection, foundBefore };
};

/** @throws EndpointError AuditUnavailable when it is not the one that was signed, OperationStopped */
const readAll = async (
  directory: string,
  checkpointer: Checkpointer,
  stop: AbortSignal | undefined,
): Promise<Found> => {
  const signedPast = findSignedPast();
  const past = new RecordPast(join(directory, "transcripts"));
  const pruned = new PrunedSegments();
  let signedSegment = "";
  const log = join(directory, "log");
  checkpointer.restart();
  await forEachLine(log, findSegments(log), stop, (line) => {
    const { content, seq, segment } = line;
    if (content.kind !== "pruned" && content.kind !== "line") return;
    pruned.take(line);
    grow(checkpointer, line);
    if (seq <= checkpointer.provedSize) signedSegment = segment;
    if (content.kind === "pruned") return;
    if (checkpointer.signedSize === 0) signedPast.take(content.bytes);
    past.takeLine(content.bytes, seq);
  });
  checkpointer.refuseShorterLog();
  const checkpoints = signedPast.wasSigned ? "gone" : "kept";
  const finding = await findingOf({ past, pruned, checkpoints }, checkpointer, stop);
  return { ...finding, signedSegment, recentBefore: undefined };
};

/**
 * The same, from a summary on: what it is about is listed, not read.
 *
 * @returns undefined where there is none that a signed event names, or where something is not as it says: then everything is
 *   read, which tells exactly what it is
 * @throws EndpointError AuditUnavailable when a segment is not as long as it was, OperationStopped
 */
const readFromSummary = async (
  directory: string,
  checkpointer: Checkpointer,
  stop: AbortSignal | undefined,
): Promise<Found | undefined> => {
  const log = join(directory, "log");
  for (const { summary, digest } of findSummaries(directory, checkpointer.publicKey)) {
    checkpointer.restart();
    const reading = new ReadingFromSummary(directory, { summary, digest }, checkpointer);
    if (!reading.begin()) continue;
    let signedSegment = "";
    const pruned = new PrunedSegments();
    await forEachLine(log, reading.segments, stop, (line) => {
      pruned.take(line);
      reading.take(line);
      if (line.seq <= checkpointer.provedSize) signedSegment = line.segment;
    });
    if (!reading.end()) continue;
    const finding = await findingOf({ past: reading.past, pruned, checkpoints: "kept" }, checkpointer, stop);
    if (refusesToStart(finding.loss)) return undefined;
    const { through, recent } = summary;
    return { ...finding, signedSegment, recentBefore: { through, recent } };
  }
  return undefined;
};

/**
 * Reads what must be known of a log to go on with it: for its tree, and for what is to be done after a crash.
 *
 * @param directory `audit/`
 * @throws EndpointError AuditUnavailable when it is not the one that was signed, OperationStopped
 */
export const readThrough = async (
  directory: string,
  checkpointer: Checkpointer,
  stop: AbortSignal | undefined,
): Promise<Found> => (await readFromSummary(directory, checkpointer, stop)) ?? readAll(directory, checkpointer, stop);

/**
 * What a start says first where it found lines, or torn lines set aside, that no checkpoint covers.
 *
 * @param keptAs named by an event of its own in a moment
 */
export const adopt = (
  directory: string,
  { tree, provedSize }: Checkpointer,
  { permissions, signedSegment }: Found,
  keptAs: string | undefined,
): AuditEvent[] => {
  const { keptTornFiles, goneTornFiles } = permissions.counted(provedSize);
  // A crash leaves one at the log's end only; one beside an older segment was put there, and pep audit verify says so.
  const tornFiles = readdirSync(directory).filter(
    (name) =>
      name.includes(".torn-at-") &&
      name >= signedSegment &&
      name !== keptAs &&
      !keptTornFiles.has(name) &&
      !goneTornFiles.has(name),
  );
  if (tree.size === provedSize && tornFiles.length === 0) return [];
  const root = tree.root().toString("base64");
  return [{ type: "log-adopted", from: provedSize + 1, to: tree.size, root, tornFiles }];
};
