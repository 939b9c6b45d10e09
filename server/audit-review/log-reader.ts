import { open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { findSegments } from "../audit/log-lines.ts";

export interface NumberedLine {
  readonly seq: number;
  readonly bytes: Buffer;
}

/** Small enough that decoding one is no pause for anybody else's session: about 1 ms. */
const blockBytes = 64 * 1024;
const longestLine = 64 * 1024 * 1024;
const newline = 10;

/**
 * Reads the log forward, a block at a time, and keeps its place: also of a log that grows. Between two blocks everybody else's
 * work is done. Holds one block, or one line where that is longer.
 */
export class LogReader {
  readonly #directory: string;
  readonly #fromSeq: number;
  #file: FileHandle | undefined;
  /** First event of the open segment; 0 where none is open yet. */
  #segmentSeq = 0;
  #offset = 0;
  #nextSeq: number;
  #block = Buffer.allocUnsafe(blockBytes);

  constructor(directory: string, fromSeq: number) {
    this.#directory = directory;
    this.#fromSeq = Math.max(1, fromSeq);
    this.#nextSeq = this.#fromSeq;
  }

  /** Before this one everything was read. */
  get nextSeq(): number {
    return this.#nextSeq;
  }

  /**
   * The next whole lines, as far as `throughSeq`; pruned ones are left out. They are good until the next call.
   *
   * @returns undefined when there are no more up to there
   */
  async next(throughSeq: number): Promise<readonly NumberedLine[] | undefined> {
    while (this.#nextSeq <= throughSeq) {
      if (this.#file === undefined && !(await this.#openSegment())) return undefined;
      const lines = await this.#readBlock(throughSeq);
      if (lines === undefined) {
        if (!(await this.#leaveSegment())) return undefined;
      } else if (lines.length > 0) {
        return lines;
      }
    }
    return undefined;
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  /** @returns undefined at the segment's end; an empty list while it passes over what is before `#fromSeq` */
  async #readBlock(throughSeq: number): Promise<readonly NumberedLine[] | undefined> {
    const { bytesRead = 0 } = (await this.#file?.read(this.#block, 0, this.#block.length, this.#offset)) ?? {};
    const block = this.#block.subarray(0, bytesRead);
    const lines: NumberedLine[] = [];
    let start = 0;
    for (
      let end = block.indexOf(newline);
      end >= 0 && this.#nextSeq <= throughSeq;
      end = block.indexOf(newline, start)
    ) {
      if (this.#nextSeq >= this.#fromSeq) lines.push({ seq: this.#nextSeq, bytes: block.subarray(start, end) });
      start = end + 1;
      this.#nextSeq += 1;
    }
    this.#offset += start;
    if (start > 0) return lines;
    if (bytesRead < this.#block.length) return undefined;
    if (this.#block.length >= longestLine) throw new Error("a line of the log is too long to be one");
    this.#block = Buffer.allocUnsafe(this.#block.length * 2);
    return lines;
  }

  async #openSegment(): Promise<boolean> {
    const segments = findSegments(this.#directory);
    const at = segments.findLastIndex(({ firstSeq }) => firstSeq <= this.#nextSeq);
    const found = segments.slice(Math.max(0, at)).find(({ pruned }) => !pruned);
    if (found === undefined) return false;
    this.#segmentSeq = found.firstSeq;
    this.#nextSeq = found.firstSeq;
    this.#offset = 0;
    this.#file = await open(join(this.#directory, found.name), "r");
    return true;
  }

  /**
   * On to the next segment. Where lines are missing in between, that is for `Test-AuditLog` to name.
   *
   * @returns false when there is no later one yet
   */
  async #leaveSegment(): Promise<boolean> {
    const later = findSegments(this.#directory).find(({ firstSeq }) => firstSeq > this.#segmentSeq);
    if (later === undefined) return false;
    await this.close();
    this.#nextSeq = later.firstSeq;
    return true;
  }
}
