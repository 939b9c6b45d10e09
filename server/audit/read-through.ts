import { readdirSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { stopped } from "../errors.ts";
import type { Checkpointer } from "./checkpointer.ts";
import type { AuditEvent } from "./event.ts";
import { EarlierVerifications } from "./earlier-verifications.ts";
import { findSegments, linesInTurns, type LogLine } from "./log-lines.ts";
import { Permissions, PrunedSegments, type LooseEvent } from "./permissions.ts";
import type { RecordLoss } from "./record-loss.ts";
import { findSignedPast } from "./signed-past.ts";
import { SiteStates } from "./site-states.ts";
import type { SiteState } from "./site-events.ts";
import { TranscriptsOnDisk } from "./transcripts-on-disk.ts";

interface Found {
  readonly lastSeq: number;
  readonly permissions: Permissions;
  /** The segment that the last signed line is in. */
  readonly signedSegment: string;
  readonly loss: RecordLoss;
  /** What the record says of the site database's rows. */
  readonly siteState: SiteState | undefined;
  /** What a verification found wrong, in words, and none found gone. */
  readonly foundBefore: readonly string[];
}

const looseLine = z.looseObject({ event: z.looseObject({ type: z.string() }) });

/** A line that is damaged permits nothing. */
const decodeLoosely = (line: Buffer): LooseEvent | undefined => {
  try {
    return looseLine.safeParse(JSON.parse(line.toString("utf8"))).data?.event;
  } catch {
    return undefined;
  }
};

/** Events that are worth decoding; most lines are something else, and decoding them all would triple the time of a start. */
const worthDecoding = [
  '"type":"session-',
  '"type":"log-',
  '"type":"loss-accepted"',
  '"type":"site-',
  '"type":"record-',
].map((text) => Buffer.from(text));

/**
 * Reads the whole log, for its tree and for what is to be done after a crash; block by block, so that whoever stops it is heard.
 *
 * @param directory `audit/`
 * @throws EndpointError AuditUnavailable when it is not the one that was signed, OperationStopped
 */
export const readThrough = async (
  directory: string,
  checkpointer: Checkpointer,
  takeLine: (line: Buffer, event: LooseEvent | undefined) => void,
  stop: AbortSignal | undefined,
): Promise<Found> => {
  const transcripts = new TranscriptsOnDisk(join(directory, "transcripts"));
  const past = findSignedPast();
  const permissions = new Permissions();
  const siteStates = new SiteStates();
  const verifications = new EarlierVerifications();
  const pruned = new PrunedSegments();
  let lastSeq = 0;
  let signedSegment = "";
  const take = (line: LogLine): void => {
    const { content, seq, segment } = line;
    if (content.kind !== "pruned" && content.kind !== "line") return;
    lastSeq = seq;
    pruned.take(line);
    if (content.kind === "pruned") checkpointer.append(Buffer.from(content.leaf));
    else checkpointer.appendLine(content.bytes);
    if (seq <= checkpointer.provedSize) signedSegment = segment;
    if (content.kind === "pruned") return;
    const { bytes } = content;
    if (checkpointer.signedSize === 0) past.take(bytes);
    const event = worthDecoding.some((text) => bytes.includes(text)) ? decodeLoosely(bytes) : undefined;
    takeLine(bytes, event);
    if (event === undefined) return;
    permissions.take(event, seq);
    siteStates.take(event, seq);
    verifications.take(event, seq);
    transcripts.take(event);
  };
  const log = join(directory, "log");
  for (const segment of findSegments(log)) {
    for await (const lines of linesInTurns(log, segment)) {
      if (stop?.aborted === true) throw stopped();
      for (const line of lines) take(line);
    }
  }
  checkpointer.refuseShorterLog();
  const { provedSize, brokenLine } = checkpointer;
  const counted = permissions.counted(provedSize);
  const loss: RecordLoss = {
    segments: pruned.unpermitted(counted),
    missing: transcripts.missing(counted),
    extra: await transcripts.extra(counted, stop),
    checkpoints: past.wasSigned ? "gone" : "kept",
    ...(brokenLine === undefined ? {} : { altered: { from: provedSize + 1, to: lastSeq, brokenLine } }),
  };
  const counts = (seq: number): boolean => !permissions.isWorthless(seq, provedSize);
  return {
    lastSeq,
    permissions,
    signedSegment,
    loss,
    siteState: siteStates.newest(counts),
    foundBefore: verifications.problems(counts),
  };
};

/**
 * What a start says first where it found lines, or torn lines set aside, that nothing signed covers.
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
