import type { KeyObject } from "node:crypto";
import type { RecordFindings } from "../command/review-port.ts";
import { logLines, type LogLine } from "../audit/log-lines.ts";
import { CompactRange, leafHash } from "../audit/merkle-tree.ts";
import { lossOf, Permissions, type PrunedBefore } from "../audit/permissions.ts";
import { describeLoss } from "../audit/record-loss.ts";
import { textOf, type ReadEvent } from "./decode-line.ts";
import { CheckpointTrail, type Trusted } from "./checkpoint-trail.ts";
import { Findings } from "./findings.ts";
import { LineChecks } from "./line-checks.ts";
import { PruningChecks } from "./pruning-checks.ts";
import { TranscriptChecks } from "./transcript-checks.ts";
import { recordPaths } from "./record-paths.ts";

export interface VerifyOptions {
  /** A data directory, or a copy of one. */
  readonly dataDirectory: string;
  /** The log's public key, kept elsewhere. */
  readonly publicKey: KeyObject | undefined;
  /** A checkpoint, kept elsewhere: the signed note as text. */
  readonly sinceCheckpoint: string | undefined;
  /** Told now and then how far it is. */
  readonly onProgress?: (events: number) => void;
}

export interface Verification extends RecordFindings {
  /** Of what earlier prunings left: what the next one has to name again. Worth something only where there is no problem. */
  readonly prunedBefore: PrunedBefore;
}

const progressEvery = 10_000;

const takeLine = (line: LogLine, tree: CompactRange, checks: LineChecks, trail: CheckpointTrail): void => {
  const { content } = line;
  switch (content.kind) {
    case "gap":
      checks.segmentGap(line);
      return;
    case "torn":
      checks.torn(line);
      return;
    case "pruned":
      tree.append(Buffer.from(content.leaf));
      checks.pruned(line);
      return;
    case "line":
      // Before it grows: what an event says of the tree is of the lines before it.
      checks.line(line, content.bytes);
      trail.takeLine(content.bytes, tree);
      tree.append(leafHash(content.bytes));
  }
};

/**
 * Checks a record against itself, its checkpoints, and what was kept elsewhere. Reads only, a line at a time; nothing here
 * takes part in writing the log (test/architecture.test.ts), so that a fault there can't hide itself.
 */
export const verifyRecord = (options: VerifyOptions): Verification => {
  const paths = recordPaths(options.dataDirectory);
  const findings = new Findings();
  const trusted: Trusted = { publicKey: options.publicKey, sinceCheckpoint: options.sinceCheckpoint };
  const permissions = new Permissions();
  const trail = new CheckpointTrail(paths, trusted, findings, permissions);
  const transcripts = new TranscriptChecks(paths.transcripts, findings);
  const tree = new CompactRange();
  const adopted: { readonly seq: number; readonly from: number; readonly to: number }[] = [];
  const accepted: { readonly seq: number; readonly at: string; readonly event: ReadEvent }[] = [];
  const prunings = new PruningChecks(findings);
  const checks = new LineChecks(paths.log, findings, (event, seq, at) => {
    prunings.take(event, seq, at);
    permissions.take(event, seq);
    if (event.type === "log-adopted") {
      const { from, to, root } = event;
      if (to !== seq - 1 || root !== tree.root().toString("base64")) {
        findings.problem(`event ${seq} names adopted lines, but the lines before it are others`);
      } else adopted.push({ seq, from: Number(from), to });
    }
    if (event.type === "loss-accepted") accepted.push({ seq, at, event });
    transcripts.take(event, seq);
    trail.takeEvent(event, seq);
  });
  try {
    for (const line of logLines(paths.log)) {
      const before = tree.size;
      takeLine(line, tree, checks, trail);
      if (tree.size > before) trail.grown(tree);
      if (tree.size % progressEvery === 0) options.onProgress?.(tree.size);
    }
  } catch (error) {
    findings.problem(`the log can't be read to its end: ${error instanceof Error ? error.message : String(error)}`);
  }
  trail.end(tree);
  const counted = permissions.counted(trail.signedThrough);
  checks.end(counted);
  transcripts.end(counted);
  prunings.end(counted, (seq) => permissions.isWorthless(seq, trail.signedThrough));
  for (const { seq, from, to } of adopted) {
    if (from > to || permissions.isWorthless(seq, trail.signedThrough)) continue;
    findings.notice(
      `events ${from} to ${to} were adopted at a start (event ${seq}): a crash had left them unsigned. Somebody with access to the machine could have written them, so they permit nothing`,
    );
  }
  for (const { seq, at, event } of accepted) {
    if (permissions.isWorthless(seq, trail.signedThrough)) continue;
    for (const what of describeLoss(lossOf(event))) {
      findings.notice(`${what}: accepted by ${textOf(event, "localUser")} at ${at} (event ${seq})`);
    }
  }
  return {
    problems: findings.problems,
    notices: findings.notices,
    claims: trail.claims(findings.problems.length === 0),
    events: tree.size,
    prunedBefore: { segments: checks.prunedSegments, transcripts: transcripts.leftBehind },
  };
};
