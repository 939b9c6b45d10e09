import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { findSegments } from "./log-lines.ts";
import { openFileOfRecord } from "./open-of-record.ts";

export interface NumberedLine {
  readonly seq: number;
  readonly bytes: Buffer;
}

/** Small enough that decoding one is no pause for anybody else's session: about 1 ms. */
const blockBytes = 64 * 1024;
const longestLine = 64 * 1024 * 1024;

/**
 * Reads a log that is being written, from one event on, by blocks: nothing of it stays in memory, and between two blocks
 * everybody else's work is done. It never looks at what is not
 * durable yet, for a write that fails is cut off and its numbers are given to other events (event-log.ts).
 */
export class LogReader {
  readonly #directory: string;
  readonly #missing: "refused" | "passed over";
  #next: number;
  #file: FileHandle | undefined;
  #segment = "";
  #offset = 0;

  /**
   * @param next the first event that is wanted
   * @param missing what becomes of a durable line that is not there. Who proves something of the log must not go on without it;
   *   who shows the log leaves it to `Test-AuditLog` to name it.
   */
  constructor(directory: string, next: number, missing: "refused" | "passed over") {
    this.#directory = directory;
    this.#next = Math.max(1, next);
    this.#missing = missing;
  }

  /** The event that is read next. Pruned ones are passed over. */
  get next(): number {
    return this.#next;
  }

  /** Some whole lines, none after `throughSeq`; none only when there are none. */
  async read(throughSeq: number): Promise<readonly NumberedLine[]> {
    while (this.#next <= throughSeq) {
      const file = this.#file ?? (await this.#open());
      if (file === undefined) return [];
      const lines = await this.#readLines(file, throughSeq);
      if (lines.length > 0) return lines;
      const before = this.#segment;
      await this.close();
      // The segment is over; the line, being durable, begins the next one.
      const last = this.#next;
      if ((await this.#open()) === undefined || this.#segment !== before) continue;
      if (this.#missing === "refused") throw new Error(`event ${last} is not in ${before}`);
      await this.close();
      const later = findSegments(this.#directory).find(({ firstSeq }) => firstSeq > last);
      if (later === undefined) return [];
      this.#next = later.firstSeq;
    }
    return [];
  }

  async #readLines(file: FileHandle, throughSeq: number): Promise<readonly NumberedLine[]> {
    for (let length = blockBytes; length <= longestLine; length *= 4) {
      const block = Buffer.allocUnsafe(length);
      const { bytesRead } = await file.read(block, 0, length, this.#offset);
      const lines: NumberedLine[] = [];
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
    const file = await openFileOfRecord(join(this.#directory, found.name));
    this.#file = file;
    const block = Buffer.allocUnsafe(blockBytes);
    while (skip > 0) {
      const { bytesRead } = await file.read(block, 0, blockBytes, this.#offset);
      if (bytesRead === 0 && this.#missing === "passed over") break;
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
