import type { KeyObject } from "node:crypto";
import { lstatSync } from "node:fs";
import { join } from "node:path";
import { findNewest } from "./checkpointer.ts";
import { findSegments, linesOfSegment, type LogLine, type Segment } from "./log-lines.ts";
import { CompactRange, leafHash } from "./merkle-tree.ts";
import { grow, ReadingFromSummary, type ReadTree } from "./read-from-summary.ts";
import { readRecentLines } from "./read-recent-log.ts";
import { RecordPast } from "./record-past.ts";
import { signersOf } from "./signed-note.ts";
import { findSummaries, type FoundSummary, type SummarizedSegment, type Summary } from "./summary.ts";

/** The tree over lines up to the newest checkpoint: what is behind it is in no summary. */
class TreeToCheckpoint implements ReadTree {
  readonly #newest: NonNullable<ReturnType<typeof findNewest>>;
  #tree = new CompactRange();
  #isSigned = false;

  constructor(newest: NonNullable<ReturnType<typeof findNewest>>) {
    this.#newest = newest;
  }

  get signedSize(): number {
    return this.#newest.size;
  }

  get provedSize(): number {
    return this.#newest.size;
  }

  get isSigned(): boolean {
    return this.#isSigned;
  }

  get tree(): CompactRange {
    return this.#tree;
  }

  resume(tree: CompactRange): void {
    this.#tree = tree;
  }

  appendLine(line: Buffer): void {
    this.append(leafHash(line));
  }

  append(leaf: Buffer): void {
    this.#tree.append(leaf);
    if (this.#tree.size === this.#newest.size) this.#isSigned = this.#tree.root().equals(this.#newest.root);
  }
}

/** Reads everything, as `ReadingFromSummary` reads what is left. */
class ReadingFromStart {
  readonly past: RecordPast;
  readonly segments: readonly Segment[];
  readonly #tree: ReadTree;

  constructor(directory: string, tree: ReadTree) {
    this.past = new RecordPast(join(directory, "transcripts"));
    this.segments = findSegments(join(directory, "log"));
    this.#tree = tree;
  }

  take(line: LogLine): void {
    grow(this.#tree, line);
    if (line.content.kind === "line") this.past.takeLine(line.content.bytes, line.seq);
  }

  end(): boolean {
    return this.#tree.isSigned;
  }
}

/** As they lie on the disk: a pruning may have taken lines since the summary before. */
const segmentsOf = (log: string, segments: readonly Segment[], through: number): SummarizedSegment[] =>
  segments
    .filter(({ firstSeq }) => firstSeq <= through)
    .map(({ name, firstSeq, pruned }, index) => ({
      firstSeq,
      lastSeq: (segments[index + 1]?.firstSeq ?? through + 1) - 1,
      bytes: lstatSync(join(log, name)).size,
      pruned,
    }));

/** Reads to the checkpoint, and says what is remembered at the end of the last segment that is over. */
const readTo = (
  log: string,
  reading: ReadingFromStart | ReadingFromSummary,
  {
    tree: { tree },
    signedSize,
    through,
  }: { readonly tree: ReadTree; readonly signedSize: number; readonly through: number },
): Pick<Summary, "subtrees" | "events" | "transcripts"> | undefined => {
  let remembered: ReturnType<typeof readTo>;
  const look = (): void => {
    if (tree.size !== through) return;
    const subtrees = tree.subtrees.map((hash) => hash.toString("base64"));
    remembered = { subtrees, ...reading.past.remembered() };
  };
  look();
  for (const segment of reading.segments) {
    for (const line of linesOfSegment(log, segment)) {
      if (line.seq > signedSize) break;
      reading.take(line);
      look();
    }
  }
  return reading.end() ? remembered : undefined;
};

/**
 * Makes a summary of every segment that is over, from the summary before where that is ours.
 *
 * @param directory `audit/`
 * @param key the log's public key: what no checkpoint covers is in no summary
 * @returns undefined where there is nothing to summarize, or the log is not the one that was signed
 */
export const makeSummary = (directory: string, key: KeyObject, now: Date): Summary | undefined => {
  const newest = findNewest(directory);
  const log = join(directory, "log");
  const segments = findSegments(log);
  const through = (segments.at(-1)?.firstSeq ?? 1) - 1;
  if (newest === undefined || through === 0 || through > newest.size) return undefined;
  if (signersOf(newest.note, newest.origin, [key]).length === 0) return undefined;
  const read = (before: FoundSummary | undefined): Summary | undefined => {
    const tree = new TreeToCheckpoint(newest);
    const reading =
      before === undefined ? new ReadingFromStart(directory, tree) : new ReadingFromSummary(directory, before, tree);
    if (reading instanceof ReadingFromSummary && !reading.begin()) return undefined;
    const remembered = readTo(log, reading, { tree, signedSize: newest.size, through });
    if (remembered === undefined) return undefined;
    return {
      version: 2,
      through,
      ...remembered,
      segments: segmentsOf(log, segments, through),
      recent: readRecentLines(log, now, before?.summary, through),
    };
  };
  for (const before of findSummaries(directory, key)) {
    const made = before.summary.through > through ? undefined : read(before);
    if (made !== undefined) return made;
  }
  return read(undefined);
};
