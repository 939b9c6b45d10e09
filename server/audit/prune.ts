import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { basename, join } from "node:path";
import * as z from "zod";
import { findSegments, linesOfSegment, prunedName, type Segment } from "./log-lines.ts";
import { leafHash } from "./merkle-tree.ts";

/** Whole segments at the beginning of the log, and the transcripts of the sessions in them. */
export interface PrunePlan {
  readonly segments: readonly Segment[];
  readonly throughSeq: number;
  readonly transcripts: readonly string[];
}

const line = z.looseObject({
  at: z.string(),
  event: z.looseObject({ type: z.string(), sessionId: z.string().optional(), transcript: z.string().optional() }),
});

/**
 * What may be pruned: segments whose every line is older than the date, covered by a checkpoint, and without a session that
 * goes on after them. Never the last segment: it is being written to.
 */
export const planPrune = (directory: string, beforeMs: number, signedSize: number): PrunePlan => {
  const segments: Segment[] = [];
  const transcripts: string[] = [];
  let throughSeq = 0;
  /** Of segments seen so far, with the transcripts of sessions that have not ended in them. */
  const open = new Map<string, string>();
  let waiting: { segment: Segment; through: number }[] = [];
  let ended: string[] = [];
  for (const segment of findSegments(directory).slice(0, -1)) {
    if (segment.pruned) continue;
    let through = segment.firstSeq - 1;
    for (const { content, seq } of linesOfSegment(directory, segment)) {
      if (content.kind !== "line") return { segments, throughSeq, transcripts };
      const { at, event } = line.parse(JSON.parse(content.bytes.toString("utf8")));
      if (!(Date.parse(at) < beforeMs)) return { segments, throughSeq, transcripts };
      through = seq;
      const { type, sessionId = "", transcript = "" } = event;
      if (type === "session-started") open.set(sessionId, basename(transcript));
      if (type === "session-ended") {
        const name = open.get(sessionId) ?? "";
        if (name !== "") ended.push(name);
        open.delete(sessionId);
      }
    }
    if (through > signedSize) break;
    waiting.push({ segment, through });
    if (open.size > 0) continue;
    segments.push(...waiting.map((one) => one.segment));
    transcripts.push(...ended);
    throughSeq = through;
    waiting = [];
    ended = [];
  }
  return { segments, throughSeq, transcripts };
};

/**
 * Carries a plan out, once it is on the record. Needs room for the hashes of one segment at a time. Each segment's hashes are durable before its lines go, so that the tree is
 * whole at every moment; done again after a crash it goes on where it stopped.
 */
export const prune = (auditDirectory: string, plan: PrunePlan): void => {
  const directory = join(auditDirectory, "log");
  // First: on a full disk the hashes need the room.
  for (const name of plan.transcripts) rmSync(join(auditDirectory, "transcripts", name), { force: true });
  for (const segment of plan.segments) {
    const path = join(directory, prunedName(segment.name));
    const fd = openSync(`${path}.new`, "w", 0o600);
    try {
      for (const { content } of linesOfSegment(directory, segment)) {
        if (content.kind === "line") writeSync(fd, leafHash(content.bytes));
      }
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(`${path}.new`, path);
    const folder = openSync(directory, "r");
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
    rmSync(join(directory, segment.name));
  }
};
