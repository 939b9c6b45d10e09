import { lstatSync } from "node:fs";
import { join } from "node:path";
import { EndpointError } from "../errors.ts";
import { findSegments, prunedName, type LogLine, type Segment } from "./log-lines.ts";
import { CompactRange, hashBytes } from "./merkle-tree.ts";
import type { Counted } from "./permissions.ts";
import { RecordPast } from "./record-past.ts";
import { segmentName } from "./segments.ts";
import type { FoundSummary, SummarizedSegment } from "./summary.ts";

/** The tree over a log as it is read, held against what was signed. */
export interface ReadTree {
  /** What the newest checkpoint covers. */
  readonly signedSize: number;
  /** How far the lines that were read are signed. */
  readonly provedSize: number;
  /** Whether the tree grew through the one that the newest checkpoint was signed over. */
  readonly isSigned: boolean;
  readonly tree: Pick<CompactRange, "size" | "subtrees">;
  resume(tree: CompactRange): void;
  append(leaf: Buffer): void;
  appendLine(line: Buffer): void;
}

/** Puts a line on the tree, or the hash that a pruning left of it. */
export const grow = (tree: Pick<ReadTree, "append" | "appendLine">, { content }: LogLine): void => {
  if (content.kind === "pruned") tree.append(Buffer.from(content.leaf));
  if (content.kind === "line") tree.appendLine(content.bytes);
};

const treeOf = ({ summary: { through, subtrees } }: FoundSummary): CompactRange | undefined => {
  try {
    return CompactRange.from(
      through,
      subtrees.map((hash) => Buffer.from(hash, "base64")),
    );
  } catch {
    return undefined;
  }
};

const lengthOf = (path: string): number | undefined => {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found?.isFile() === true ? found.size : undefined;
};

/**
 * Reads a log from a summary of its beginning on. A summary is worth nothing by itself: it counts where the lines after it, put on its tree,
 * are those of the newest checkpoint, and one of them that was signed when it was written says that the summary is ours.
 */
export class ReadingFromSummary {
  readonly past: RecordPast;
  /** Those to be read. */
  readonly segments: readonly Segment[];
  readonly #log: string;
  readonly #found: FoundSummary;
  readonly #tree: ReadTree;
  /** Those that the summary is about, as they lie on the disk. */
  readonly #earlier: readonly Segment[];
  #isOurs: number | undefined;

  /** @param directory `audit/` */
  constructor(directory: string, found: FoundSummary, tree: ReadTree) {
    this.#log = join(directory, "log");
    this.#found = found;
    this.#tree = tree;
    const { summary } = found;
    const segments = findSegments(this.#log);
    this.segments = segments.filter(({ firstSeq }) => firstSeq > summary.through);
    this.#earlier = segments.filter(({ firstSeq }) => firstSeq <= summary.through);
    this.past = new RecordPast(join(directory, "transcripts"));
    const gone = this.#earlier.filter(({ pruned }) => pruned).map(({ firstSeq }) => firstSeq);
    const ends = new Map(summary.segments.map(({ firstSeq, lastSeq }) => [firstSeq, lastSeq]));
    this.past.takeSummary(summary, (seq) =>
      gone.some((firstSeq) => seq >= firstSeq && seq <= (ends.get(firstSeq) ?? 0)),
    );
  }

  /** Goes on from it. @returns false where that can't be */
  begin(): boolean {
    const { through } = this.#found.summary;
    const tree = treeOf(this.#found);
    if (tree === undefined || through >= this.#tree.signedSize || this.segments[0]?.firstSeq !== through + 1)
      return false;
    this.#tree.resume(tree);
    return true;
  }

  take(line: LogLine): void {
    grow(this.#tree, line);
    const { content, seq } = line;
    if (content.kind !== "line") return;
    const event = this.past.takeLine(content.bytes, seq);
    const { summary, digest } = this.#found;
    if (event?.type === "log-summarized" && event["through"] === summary.through && event["digest"] === digest) {
      this.#isOurs = seq;
    }
  }

  /**
   * @returns whether the summary is ours, and the log's beginning as it says
   * @throws EndpointError AuditUnavailable when a segment has another length than a signed summary says
   */
  end(): boolean {
    const { isSigned, provedSize } = this.#tree;
    if (!isSigned || this.#isOurs === undefined) return false;
    if (this.past.permissions.isWorthless(this.#isOurs, provedSize)) return false;
    return this.#isAsSummarized(this.past.permissions.counted(provedSize));
  }

  /** Names and lengths; hashes in the place of lines only where a signed event named them. */
  #isAsSummarized(counted: Counted): boolean {
    const { segments } = this.#found.summary;
    const found = new Map(this.#earlier.map((segment) => [segment.firstSeq, segment]));
    if (found.size > segments.length) return false;
    return segments.every((segment) => this.#isKept(segment, found.get(segment.firstSeq), counted));
  }

  #isKept(was: SummarizedSegment, is: Segment | undefined, { segments }: Counted): boolean {
    const file = segmentName(was.firstSeq);
    const hashes = (was.lastSeq - was.firstSeq + 1) * hashBytes;
    const isPruned = is?.pruned ?? was.pruned;
    const bytes = isPruned ? hashes : was.bytes;
    const name = isPruned ? prunedName(file) : file;
    const length = lengthOf(join(this.#log, name));
    if (length !== bytes && !(was.pruned && !isPruned)) {
      throw new EndpointError(
        "AuditUnavailable",
        `audit/log/${name} ${length === undefined ? "is not there" : `has ${length} bytes`}, and a signed summary of the log says that it has ${bytes}: lines were taken away, put in or changed. The endpoint does not go on with such a log. Put it back, or keep it for the investigation and start with an empty audit directory. pep audit verify says more.`,
      );
    }
    if (was.pruned || !isPruned) return was.pruned === isPruned;
    const named = segments.get(file);
    return named?.firstSeq === was.firstSeq && named.lastSeq === was.lastSeq;
  }
}
