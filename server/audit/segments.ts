import { hash } from "node:crypto";
import {
  openSync,
  closeSync,
  fstatSync,
  ftruncateSync,
  fsyncSync,
  readSync,
  readdirSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { EndpointError } from "../errors.ts";

const line = z.looseObject({ seq: z.number().int().positive() });

export const segmentName = (firstSeq: number): string => `${String(firstSeq).padStart(12, "0")}.ndjson`;

/** Where appending goes on after a start. */
export interface LogEnd {
  /** Sequence number of the last whole line; 0 in a new log. */
  readonly lastSeq: number;
  /** File name of the last segment, absent in a new log. */
  readonly segment: string | undefined;
  readonly bytes: number;
  /** When its first line was written; absent where there is none. */
  readonly begunAtMs?: number;
  /** Set when a torn last line was moved aside. */
  readonly repaired: { readonly droppedBytes: number; readonly keptAs: string; readonly digest: string } | undefined;
}

const blockBytes = 64 * 1024;

/** Reads backwards for the end of the last whole line. @returns its end offset and text, or undefined for none */
const lastWholeLine = (fd: number, size: number): { readonly end: number; readonly text: string } | undefined => {
  let tail = Buffer.alloc(0);
  let start = size;
  while (start > 0) {
    const length = Math.min(blockBytes, start);
    start -= length;
    const block = Buffer.alloc(length);
    readSync(fd, block, 0, length, start);
    tail = Buffer.concat([block, tail]);
    const newline = tail.lastIndexOf(10);
    if (newline < 0) continue;
    const before = newline === 0 ? -1 : tail.lastIndexOf(10, newline - 1);
    if (before < 0 && start > 0) continue;
    return { end: start + newline + 1, text: tail.toString("utf8", before + 1, newline) };
  }
  return undefined;
};

/** The time at the start of a segment: every line begins `{"seq":N,"at":"…"`. */
const begunAt = (fd: number, end: number): Pick<LogEnd, "begunAtMs"> => {
  const head = Buffer.alloc(Math.min(end, 100));
  readSync(fd, head, 0, head.length, 0);
  const at = Date.parse(/^\{"seq":\d+,"at":"([^"]+)"/.exec(head.toString("latin1"))?.[1] ?? "");
  return Number.isNaN(at) ? {} : { begunAtMs: at };
};

/**
 * Finds the end of the log and repairs a torn last line, as a crash in the middle of a write leaves it. The torn bytes are
 * kept in a file beside the segment, never thrown away: they may be evidence.
 *
 * @throws EndpointError AuditUnavailable when a whole last line is not one of ours: that is damage, not a crash
 */
export const findLogEnd = (directory: string): LogEnd => {
  const segment = readdirSync(directory)
    .filter((name) => /^\d{12}\.ndjson$/.test(name))
    .sort()
    .at(-1);
  if (segment === undefined) return { lastSeq: 0, segment: undefined, bytes: 0, repaired: undefined };
  const fd = openSync(join(directory, segment), "r+");
  try {
    const { size } = fstatSync(fd);
    const last = lastWholeLine(fd, size);
    const end = last?.end ?? 0;
    let repaired: LogEnd["repaired"];
    if (end < size) {
      const torn = Buffer.alloc(size - end);
      readSync(fd, torn, 0, torn.length, end);
      const keptAs = `${segment}.torn-at-${end}`;
      writeFileSync(join(directory, keptAs), torn, { mode: 0o600 });
      ftruncateSync(fd, end);
      fsyncSync(fd);
      repaired = { droppedBytes: torn.length, keptAs, digest: hash("sha256", torn) };
    }
    if (last === undefined) return { lastSeq: Number(segment.slice(0, 12)) - 1, segment, bytes: 0, repaired };
    let decoded: unknown;
    try {
      decoded = JSON.parse(last.text);
    } catch (error) {
      throw new EndpointError("AuditUnavailable", `The last line of audit/log/${segment} is damaged.`, {
        cause: error,
      });
    }
    const { success, data } = line.safeParse(decoded);
    if (!success) {
      throw new EndpointError("AuditUnavailable", `The last line of audit/log/${segment} is not an event.`);
    }
    return { lastSeq: data.seq, segment, bytes: end, repaired, ...begunAt(fd, end) };
  } finally {
    closeSync(fd);
  }
};
