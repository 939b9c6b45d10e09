import { closeSync, readdirSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { EndpointError } from "../errors.ts";
import { hashBytes } from "./merkle-tree.ts";
import { blocksIn, blocksInTurns, openFileOfRecord, openOfRecord } from "./open-of-record.ts";

/** One leaf of the tree, in the order of the log. */
export interface LogLine {
  readonly segment: string;
  /** From 1, in its segment. */
  readonly lineNumber: number;
  /** The number that the line must have: its place in the log. */
  readonly seq: number;
  readonly content:
    | { readonly kind: "line"; readonly bytes: Buffer }
    /** The line was pruned; its hash is kept so that proofs still hold. */
    | { readonly kind: "pruned"; readonly leaf: Buffer }
    /** Bytes after the last newline: a write that a crash interrupted, or one under way. */
    | { readonly kind: "torn"; readonly bytes: Buffer }
    /** The segment's name says another number: lines are missing, or there are some too many. */
    | { readonly kind: "gap"; readonly foundSeq: number };
}

export interface Segment {
  readonly name: string;
  readonly firstSeq: number;
  readonly pruned: boolean;
  /** Its file has no more bytes than this: a hash for each line before the next segment. */
  readonly largest: number;
}

const blockBytes = 1024 * 1024;
/** More than an event can need that names the segments of a terabyte. Decoding a longer one holds up who hears a signal. */
export const longestLine = 8 * 1024 * 1024;

/** What every line has before its event's type. In the field before it, quotes are escaped. */
export const beforeType = '"event":{"type":"';
const beforeTypeBytes = Buffer.from(beforeType);
const beforeSessionId = Buffer.from('"sessionId":"');
const quote = 0x22;

/** What stands between these bytes and the next quote: in texts, quotes are escaped. Decoding a whole line takes ten times as long. */
const textAfter = (line: Buffer, before: Buffer): string | undefined => {
  const at = line.indexOf(before);
  if (at < 0) return undefined;
  const start = at + before.length;
  return line.toString("latin1", start, line.indexOf(quote, start));
};

/** The type of a line's event; undefined where it has none. */
export const typeIn = (line: Buffer): string | undefined => textAfter(line, beforeTypeBytes);

/** The session that a line is of; undefined where it is of none. */
export const sessionIdIn = (line: Buffer): string | undefined => textAfter(line, beforeSessionId);

export const prunedName = (segment: string): string => segment.replace(/\.ndjson$/, ".hashes");

/** The log's segments in order. Where both are there, the lines count: pruning was interrupted before it took them away. */
export const findSegments = (directory: string): Segment[] => {
  const found = new Map<string, Omit<Segment, "largest">>();
  for (const name of readdirSync(directory).sort()) {
    const [, firstSeq, kind] = /^(\d{12})\.(ndjson|hashes)$/.exec(name) ?? [];
    if (firstSeq !== undefined) found.set(firstSeq, { name, firstSeq: Number(firstSeq), pruned: kind === "hashes" });
  }
  return [...found.values()].map((one, index, all) => {
    const next = all[index + 1]?.firstSeq ?? Number.POSITIVE_INFINITY;
    return { ...one, largest: one.pruned ? (next - one.firstSeq) * hashBytes : Number.POSITIVE_INFINITY };
  });
};

const refuseLonger = (bytes: number, largest: number): void => {
  if (bytes > largest) throw new Error("it is longer than what it stands for");
};

/** Blocks of a file; each is worth something only until the next one is read. */
const blocksOf = function* (path: string, largest = Number.POSITIVE_INFINITY): Generator<Buffer> {
  const { fd, bytes } = openOfRecord(path);
  try {
    refuseLonger(bytes, largest);
    yield* blocksIn(fd, bytes, blockBytes);
  } finally {
    closeSync(fd);
  }
};

export interface Piece {
  readonly bytes: Buffer;
  readonly whole: boolean;
}

/** Cuts a file, block by block, into pieces: how, depends on what it holds. */
interface Cutter {
  /** Pieces that end in this block; good until the next one. */
  take(block: Buffer): Generator<Piece>;
  /** What is left behind the last one. */
  end(): Generator<Piece>;
}

const cutAtNewlines = (): Cutter => {
  let rest = Buffer.alloc(0);
  return {
    *take(block) {
      let start = 0;
      for (let end = block.indexOf(10); end >= 0; end = block.indexOf(10, start)) {
        const piece = block.subarray(start, end);
        yield { bytes: rest.length === 0 ? piece : Buffer.concat([rest, piece]), whole: true };
        rest = Buffer.alloc(0);
        start = end + 1;
      }
      rest = Buffer.concat([rest, block.subarray(start)]);
      if (rest.length > longestLine)
        throw new EndpointError("AuditUnavailable", "A line of the log is too long to be one.");
    },
    *end() {
      if (rest.length > 0) yield { bytes: rest, whole: false };
    },
  };
};

const cutHashes = (): Cutter => {
  let rest = Buffer.alloc(0);
  return {
    *take(block) {
      const bytes = Buffer.concat([rest, block]);
      let at = 0;
      for (; at + hashBytes <= bytes.length; at += hashBytes) {
        yield { bytes: bytes.subarray(at, at + hashBytes), whole: true };
      }
      rest = Buffer.from(bytes.subarray(at));
    },
    *end() {
      // Half a hash is none.
    },
  };
};

/** Pieces of a file between newlines; the last is what stands after the last one. */
export const piecesOf = function* (path: string): Generator<Piece> {
  const cutter = cutAtNewlines();
  for (const block of blocksOf(path)) yield* cutter.take(block);
  yield* cutter.end();
};

/**
 * The same of an open file, a block's pieces at a time, beside everybody else's work.
 *
 * @param bytes its length: no more is read
 */
export const piecesInTurns = async function* (file: FileHandle, bytes: number): AsyncGenerator<Iterable<Piece>> {
  const cutter = cutAtNewlines();
  for await (const block of blocksInTurns(file, bytes, blockBytes)) yield cutter.take(block);
  yield cutter.end();
};

/** Whole lines of a file, as text. */
export const wholeLinesOf = function* (path: string): Generator<string> {
  for (const { bytes, whole } of piecesOf(path)) if (whole) yield bytes.toString("utf8");
};

/** Makes lines of a segment's pieces, in order. */
const numbering = ({ name, firstSeq, pruned }: Segment): ((piece: Piece) => LogLine) => {
  let lineNumber = 0;
  return ({ bytes, whole }) => {
    lineNumber += 1;
    const content: LogLine["content"] = pruned
      ? { kind: "pruned", leaf: bytes }
      : { kind: whole ? "line" : "torn", bytes };
    return { segment: name, lineNumber, seq: firstSeq + lineNumber - 1, content };
  };
};

/** Every line of one segment. The bytes are good until the next line is asked for. */
export const linesOfSegment = function* (directory: string, segment: Segment): Generator<LogLine> {
  const cutter = segment.pruned ? cutHashes() : cutAtNewlines();
  const number = numbering(segment);
  for (const block of blocksOf(join(directory, segment.name), segment.largest)) {
    for (const piece of cutter.take(block)) yield number(piece);
  }
  for (const piece of cutter.end()) yield number(piece);
};

/**
 * The same, a block's lines at a time, beside everybody else's work.
 *
 * @throws EndpointError AuditUnavailable when it can't be read
 */
export const linesInTurns = async function* (directory: string, segment: Segment): AsyncGenerator<Iterable<LogLine>> {
  const cutter = segment.pruned ? cutHashes() : cutAtNewlines();
  const number = numbering(segment);
  const numbered = function* (pieces: Iterable<Piece>): Generator<LogLine> {
    for (const piece of pieces) yield number(piece);
  };
  try {
    const file = await openFileOfRecord(join(directory, segment.name));
    try {
      const { size } = await file.stat();
      refuseLonger(size, segment.largest);
      for await (const block of blocksInTurns(file, size, blockBytes)) yield numbered(cutter.take(block));
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof EndpointError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new EndpointError("AuditUnavailable", `audit/log/${segment.name} can't be read: ${why}`, { cause: error });
  }
  yield numbered(cutter.end());
};

/** Every line of the log, streamed: memory doesn't grow with it. */
export const logLines = function* (directory: string): Generator<LogLine> {
  let next: number | undefined;
  for (const segment of findSegments(directory)) {
    const expected: number = next ?? 1;
    if (segment.firstSeq !== expected) {
      const content = { kind: "gap", foundSeq: segment.firstSeq } as const;
      yield { segment: segment.name, lineNumber: 1, seq: expected, content };
    }
    next = segment.firstSeq;
    for (const line of linesOfSegment(directory, segment)) {
      yield line;
      if (line.content.kind === "line" || line.content.kind === "pruned") next = line.seq + 1;
    }
  }
};
