import type { KeyObject } from "node:crypto";
import { logLines, type LogLine } from "../audit/log-lines.ts";
import { CompactRange, leafHash } from "../audit/merkle-tree.ts";
import { CheckpointTrail, type Trusted } from "./checkpoint-trail.ts";
import { Findings } from "./findings.ts";
import { LineChecks } from "./line-checks.ts";
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

export interface Verification {
  /** What is wrong; empty when the record holds. */
  readonly problems: readonly string[];
  /** What is worth knowing and no sign of tampering. */
  readonly notices: readonly string[];
  /** What the answer is worth, in words. */
  readonly claims: readonly string[];
  readonly events: number;
}

const progressEvery = 10_000;

const takeLine = (line: LogLine, tree: CompactRange, checks: LineChecks): void => {
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
      tree.append(leafHash(content.bytes));
      checks.line(line, content.bytes);
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
  const trail = new CheckpointTrail(paths, trusted, findings);
  const transcripts = new TranscriptChecks(paths.transcripts, findings);
  const checks = new LineChecks(paths.log, findings, (event, seq) => {
    transcripts.take(event, seq);
    trail.takeEvent(event, seq);
  });
  const tree = new CompactRange();
  try {
    for (const line of logLines(paths.log)) {
      const before = tree.size;
      takeLine(line, tree, checks);
      if (tree.size > before) trail.grown(tree);
      if (tree.size % progressEvery === 0) options.onProgress?.(tree.size);
    }
  } catch (error) {
    findings.problem(`the log can't be read to its end: ${error instanceof Error ? error.message : String(error)}`);
  }
  trail.end(tree);
  checks.end();
  transcripts.end(checks.prunedThrough > 0);
  return {
    problems: findings.problems,
    notices: findings.notices,
    claims: trail.claims(findings.problems.length === 0),
    events: tree.size,
  };
};
