import { open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { originOf } from "../audit/checkpoint.ts";
import { findSegments, linesOfSegment } from "../audit/log-lines.ts";
import { leafHash } from "../audit/merkle-tree.ts";

export interface ReadLine {
  readonly seq: number;
  readonly bytes: Buffer;
}

const blockBytes = 256 * 1024;
const longestLine = 64 * 1024 * 1024;

/** The log's name, made of its first line; undefined while it has none. */
export const nameOfLog = (directory: string): string | undefined => {
  const [first] = findSegments(directory);
  if (first === undefined) return undefined;
  const [line] = linesOfSegment(directory, first);
  if (line?.content.kind === "pruned") return originOf(line.content.leaf);
  return line?.content.kind === "line" ? originOf(leafHash(line.content.bytes)) : undefined;
};

/**
 * Reads a log that is being written, from one event on, by blocks: nothing of it stays in memory. It never looks at what is not
 * durable yet, for a write that fails is cut off and its numbers are given to other events (event-log.ts).
 */
export class LogReader {
  readonly #directory: string;
  #next: number;
  #file: FileHandle | undefined;
  #segment = "";
  #offset = 0;

  constructor(directory: string, next: number) {
    this.#directory = directory;
    this.#next = next;
  }

  /** The event that is read next. Pruned ones are passed over. */
  get next(): number {
    return this.#next;
  }

  /** Some whole lines, none after `throughSeq`; none only when there are none. */
  async read(throughSeq: number): Promise<readonly ReadLine[]> {
    while (this.#next <= throughSeq) {
      const file = this.#file ?? (await this.#open());
      if (file === undefined) return [];
      const lines = await this.#readLines(file, throughSeq);
      if (lines.length > 0) return lines;
      const before = this.#segment;
      await this.close();
      // The segment is over; the line, being durable, begins the next one.
      if ((await this.#open()) !== undefined && this.#segment === before) {
        throw new Error(`event ${this.#next} is not in ${this.#segment}`);
      }
    }
    return [];
  }

  async #readLines(file: FileHandle, throughSeq: number): Promise<readonly ReadLine[]> {
    for (let length = blockBytes; length <= longestLine; length *= 4) {
      const block = Buffer.allocUnsafe(length);
      const { bytesRead } = await file.read(block, 0, length, this.#offset);
      const lines: ReadLine[] = [];
      let start = 0;
      for (let end = block.indexOf(10); end >= 0 && end < bytesRead; end = block.indexOf(10, start)) {
        if (this.#next > throughSeq) break;
        lines.push({ seq: this.#next, bytes: block.subarray(start, end) });
        this.#next += 1;
        start = end + 1;
      }
      this.#offset += start;
      if (lines.length > 0 || bytesRead < length) return lines;
    }
    throw new Error(`event ${this.#next} is too long to be one`);
  }

  /** Finds the segment and the place in it. */
  async #open(): Promise<FileHandle | undefined> {
    const segments = findSegments(this.#directory);
    const at = segments.findLastIndex(({ firstSeq }) => firstSeq <= this.#next);
    const found = segments.slice(Math.max(at, 0)).find(({ pruned }) => !pruned);
    if (found === undefined) return undefined;
    this.#segment = found.name;
    this.#offset = 0;
    let skip = Math.max(0, this.#next - found.firstSeq);
    this.#next = Math.max(this.#next, found.firstSeq);
    const file = await open(join(this.#directory, found.name), "r");
    this.#file = file;
    const block = Buffer.allocUnsafe(blockBytes);
    while (skip > 0) {
      const { bytesRead } = await file.read(block, 0, blockBytes, this.#offset);
      if (bytesRead === 0) throw new Error(`event ${this.#next} is not in ${found.name}`);
      let start = 0;
      for (let end = block.indexOf(10); end >= 0 && end < bytesRead && skip > 0; end = block.indexOf(10, start)) {
        start = end + 1;
        skip -= 1;
      }
      this.#offset += skip > 0 ? bytesRead : start;
    }
    return file;
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }
}
