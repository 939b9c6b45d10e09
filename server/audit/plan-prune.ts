import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { basename } from "node:path";
import * as z from "zod";
import { findSegments, linesOfSegment, type Segment } from "./log-lines.ts";
import { leafHash } from "./merkle-tree.ts";
import type { PrunedBefore } from "./permissions.ts";

/** Whole segments at the beginning of the log, and the transcripts of the sessions in them. */
export interface PrunePlan {
  readonly segments: readonly PrunedSegment[];
  /** Named once more: the event that permitted them goes with the lines that are pruned now. */
  readonly before: PrunedBefore;
  readonly throughSeq: number;
  /** Those that go, with the digests that the log has of them; empty where it has none. */
  readonly transcripts: readonly { readonly name: string; readonly digest: string }[];
  /** Torn lines kept beside these segments. */
  readonly tornFiles: readonly string[];
}

interface PrunedSegment extends Segment {
  readonly lastSeq: number;
  /** SHA-256 over the hashes of its lines. */
  readonly digest: string;
  readonly lastAt: string;
}

const line = z.looseObject({
  at: z.string(),
  event: z.looseObject({
    type: z.string(),
    sessionId: z.string().optional(),
    transcript: z.string().optional(),
    transcriptDigest: z.string().optional(),
    extra: z.array(z.looseObject({ name: z.string(), digest: z.string() })).optional(),
  }),
});

/**
 * What may be pruned: segments whose every line is older than the date, covered by a checkpoint, and without a session that
 * goes on after them. Never the last segment: it is being written to.
 *
 * @param before not read from the disk again: what somebody puts there meanwhile must not be named
 */
export const planPrune = (directory: string, beforeMs: number, signedSize: number, before: PrunedBefore): PrunePlan => {
  const segments: PrunedSegment[] = [];
  const transcripts: PrunePlan["transcripts"][number][] = [...before.transcripts];
  let throughSeq = 0;
  const plan = (): PrunePlan => ({
    segments,
    before,
    throughSeq,
    transcripts,
    tornFiles: readdirSync(directory).filter(
      (name) =>
        name.includes(".torn-at-") &&
        [...before.segments.map(({ file }) => file), ...segments.map((segment) => segment.name)].some((segment) =>
          name.startsWith(`${segment}.`),
        ),
    ),
  });
  /** Of segments seen so far, with the transcripts of sessions that have not ended in them. */
  const open = new Map<string, string>();
  let waiting: PrunedSegment[] = [];
  let ended: PrunePlan["transcripts"][number][] = [];
  for (const segment of findSegments(directory).slice(0, -1)) {
    if (segment.pruned) continue;
    let through = segment.firstSeq - 1;
    let lastAt = "";
    const hash = createHash("sha256");
    for (const { content, seq } of linesOfSegment(directory, segment)) {
      if (content.kind !== "line") return plan();
      hash.update(leafHash(content.bytes));
      const { at, event } = line.parse(JSON.parse(content.bytes.toString("utf8")));
      if (!(Date.parse(at) < beforeMs)) return plan();
      through = seq;
      if (at > lastAt) lastAt = at; // of one form and one zone
      const { type, sessionId = "", transcript = "", transcriptDigest: digest = "" } = event;
      // What was accepted beside the sessions' own goes with the event that says so.
      if (type === "loss-accepted") {
        for (const one of event.extra ?? []) ended.push({ name: basename(one.name), digest: one.digest });
      }
      if (type === "session-started") open.set(sessionId, basename(transcript));
      if (type === "session-ended") {
        const name = open.get(sessionId) ?? "";
        if (name !== "") ended.push({ name, digest });
        open.delete(sessionId);
      }
    }
    if (through > signedSize) break;
    waiting.push({ ...segment, lastSeq: through, digest: hash.digest("hex"), lastAt });
    if (open.size > 0) continue;
    segments.push(...waiting);
    transcripts.push(...ended);
    throughSeq = through;
    waiting = [];
    ended = [];
  }
  return plan();
};
