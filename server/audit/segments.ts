import { hash } from "node:crypto";
import { constants, readdirSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { EndpointError } from "../errors.ts";
import { openFresh } from "../files/new-file.ts";
import { longestLine } from "./log-lines.ts";
import { openFileOfRecord } from "./open-of-record.ts";

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

const damaged = (message: string, cause?: unknown): EndpointError =>
  new EndpointError("AuditUnavailable", message, { cause });

/** Bytes of a file from one place to another. */
const read = async (file: FileHandle, from: number, to: number): Promise<Buffer> => {
  const bytes = Buffer.alloc(to - from);
  for (let at = 0; at < bytes.length;) {
    const { bytesRead } = await file.read(bytes, at, bytes.length - at, from + at);
    if (bytesRead === 0) throw new Error("the file became shorter while it was read");
    at += bytesRead;
  }
  return bytes;
};

/**
 * Looks backwards for the last whole line, no further than a line can be long.
 *
 * @returns where it begins and where the next one does; undefined where there is none; "too long"
 */
const findLastLine = async (
  file: FileHandle,
  size: number,
): Promise<{ readonly start: number; readonly end: number } | undefined | "too long"> => {
  let end: number | undefined;
  for (let at = size; at > 0;) {
    const to = at;
    at = Math.max(0, at - blockBytes);
    const block = await read(file, at, to);
    let before = block.lastIndexOf(10);
    if (before >= 0 && end === undefined) {
      end = at + before + 1;
      before = before === 0 ? -1 : block.lastIndexOf(10, before - 1);
    }
    if (before >= 0 && end !== undefined) return { start: at + before + 1, end };
    if ((end ?? size) - at > longestLine) return "too long";
  }
  return end === undefined ? undefined : { start: 0, end };
};

/** The time at the start of a segment: every line begins `{"seq":N,"at":"…"`. */
const begunAt = async (file: FileHandle, end: number): Promise<Pick<LogEnd, "begunAtMs">> => {
  const head = await read(file, 0, Math.min(end, 100));
  const at = Date.parse(/^\{"seq":\d+,"at":"([^"]+)"/.exec(head.toString("latin1"))?.[1] ?? "");
  return Number.isNaN(at) ? {} : { begunAtMs: at };
};

/** Moves what stands behind the last whole line into a file of its own, which is durable before it is cut off. */
const setAside = async (file: FileHandle, path: string, end: number, size: number): Promise<string> => {
  const torn = await read(file, end, size);
  const kept = await openFresh(path);
  try {
    await kept.writeFile(torn);
    await kept.datasync();
  } finally {
    await kept.close();
  }
  await file.truncate(end);
  await file.sync();
  return hash("sha256", torn);
};

/** The number of the last event. @throws EndpointError AuditUnavailable when it is not one of ours */
const seqOf = (text: string, segment: string): number => {
  let decoded: unknown;
  try {
    decoded = JSON.parse(text);
  } catch (error) {
    throw damaged(`The last line of audit/log/${segment} is damaged.`, error);
  }
  const { success, data } = line.safeParse(decoded);
  if (!success) throw damaged(`The last line of audit/log/${segment} is not an event.`);
  return data.seq;
};

const openSegment = async (path: string, segment: string): Promise<FileHandle> => {
  try {
    return await openFileOfRecord(path, constants.O_RDWR);
  } catch (error) {
    throw damaged(`The newest segment, audit/log/${segment}, can't be opened: pep audit verify says more.`, error);
  }
};

/**
 * Finds the end of the log and repairs a torn last line, as a crash in the middle of a write leaves it. The torn bytes are
 * kept in a file beside the segment, never thrown away: they may be evidence.
 *
 * @throws EndpointError AuditUnavailable when a whole last line is not one of ours, or what follows it is longer than a line can
 * be: that is damage, not a crash
 */
export const findLogEnd = async (directory: string): Promise<LogEnd> => {
  const segment = readdirSync(directory)
    .filter((name) => /^\d{12}\.ndjson$/.test(name))
    .sort()
    .at(-1);
  if (segment === undefined) return { lastSeq: 0, segment: undefined, bytes: 0, repaired: undefined };
  const file = await openSegment(join(directory, segment), segment);
  try {
    const { size } = await file.stat();
    const last = await findLastLine(file, size);
    if (last === "too long") {
      throw damaged(`What stands behind the last line of audit/log/${segment}, or that line, is too long to be one.`);
    }
    const end = last?.end ?? 0;
    // Before anything is cut off: what is no log is left as it is.
    const lastSeq =
      last === undefined
        ? Number(segment.slice(0, 12)) - 1
        : seqOf((await read(file, last.start, end - 1)).toString("utf8"), segment);
    let repaired: LogEnd["repaired"];
    if (end < size) {
      const keptAs = `${segment}.torn-at-${end}`;
      const digest = await setAside(file, join(directory, keptAs), end, size);
      repaired = { droppedBytes: size - end, keptAs, digest };
    }
    return { lastSeq, segment, bytes: end, repaired, ...(end === 0 ? {} : await begunAt(file, end)) };
  } finally {
    await file.close();
  }
};
