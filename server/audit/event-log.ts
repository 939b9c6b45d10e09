import { constants, fstatSync, lstatSync, mkdirSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { EndpointError } from "../errors.ts";
import { synchronizeDirectory } from "../files/replace-file.ts";
import { auditEvent, type AuditEvent, type EventLog } from "./event.ts";
import { lockIn, takeLock } from "./lock.ts";
import { openFileOfRecord } from "./open-of-record.ts";
import { isFull } from "./rescue-space.ts";
import { findLogEnd, segmentName, type LogEnd } from "./segments.ts";
import { writeSome } from "./write-some.ts";
import type { Runtime } from "../runtime.ts";

export interface EventLogOptions {
  /** `audit/log`; made when it is not there. */
  readonly directory: string;
  readonly runtime: Pick<Runtime, "now" | "uptimeMs">;
  /** Name of this host: where logs of several endpoints come together, each line says whose it is. */
  readonly server: string;
  /** Makes a file's data durable; an argument so that a test can make it fail as a disk does. */
  readonly synchronize?: (file: FileHandle) => Promise<void>;
  /** A new segment is begun once the last one is this large. */
  readonly segmentBytes?: number;
  /** And once its first line is this old, so that pruning by date has whole segments to take. */
  readonly segmentAgeMs?: number;
  /** Called when a segment is over, and another one begun. */
  readonly onSegmentOver?: () => void;
  /** Makes room on a full disk, once; what was refused for want of it is then tried again. @returns whether it could */
  readonly giveUpSpace?: () => boolean;
  /**
   * Called before the first append, when the log's end is whole. What it throws stops the opening; what it returns is written
   * before anything else. `keptAs`: the torn line that was just moved aside.
   */
  readonly onOpened?: (keptAs: string | undefined) => Promise<readonly AuditEvent[]>;
  /** Called with each event that is taken, and the length of its text; whether it becomes durable is not known yet. */
  readonly onTaken?: (event: AuditEvent, length: number) => void;
  /**
   * Called with the lines, without their newlines, while the disk makes them durable: what is to be computed of them costs
   * nobody time then. Their bytes are good until it returns. What it returns is called once they are durable, and never if not.
   */
  readonly onWritten?: (lines: readonly Buffer[]) => () => void;
  /** Called with the lines that are to be written together. @returns the last one as it is written, with a signature say */
  readonly seal?: (before: readonly string[], last: string) => string;
}

/** The log of a running process; `close` gives the lock back. */
export interface OpenEventLog extends EventLog {
  /** Takes nothing more; resolves when what was taken is durable or refused. The lock is kept. */
  finish(): Promise<void>;
  close(): Promise<void>;
}

/** What goes to the disk together. Its events become durable or are refused together, so one promise is everybody's. */
interface Group {
  readonly events: string[];
  readonly outcome: PromiseWithResolvers<void>;
}

/**
 * A start reads every line of the newest segment, 7 µs each. Rejected: smaller ones, for every pruning names again those that were pruned
 * before; and a summary that ends in the middle of a segment, which each reader would have to know of.
 */
export const segmentMiB = 16;
const defaultSegmentAgeMs = 7 * 24 * 60 * 60 * 1000;

/** Room that is kept for a group's bytes, at three for each character. A larger group gets room of its own. */
const keptBytes = 3 * 64 * 1024;

/** Where the lines are in `bytes`, without their newlines. JSON has none of its own. */
const linesIn = (bytes: Buffer): Buffer[] => {
  const lines: Buffer[] = [];
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(10, start);
    lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return lines;
};

const unavailable = (cause: unknown): EndpointError =>
  new EndpointError("AuditUnavailable", "This could not be recorded, so it was not done. Tell your administrator.", {
    cause,
  });

class AppendOnlyLog implements OpenEventLog {
  readonly #options: EventLogOptions;
  readonly #releaseLock: () => void;
  readonly #server: string;
  #lastSeq: number;
  #segment: string | undefined;
  /** Length of the segment that is known to be durable. */
  #durableBytes: number;
  #segmentBegunAtMs: number;
  #file: { readonly handle: FileHandle; readonly path: string; readonly ino: number; readonly dev: number } | undefined;
  /** A group's bytes until they are durable. One for all groups: a new one of 20 KiB each time cost a tenth of an append. */
  readonly #bytes = Buffer.allocUnsafeSlow(keptBytes);
  /** A write or sync failed: bytes after `#durableBytes` are of no worth and are cut off before the next write. */
  #dirty = false;
  #pending: Group | undefined;
  #flushing: Promise<void> | undefined;
  #closed = false;

  constructor(options: EventLogOptions, releaseLock: () => void, end: LogEnd) {
    this.#options = options;
    this.#server = JSON.stringify(options.server);
    this.#releaseLock = releaseLock;
    this.#lastSeq = end.lastSeq;
    this.#segment = end.segment;
    this.#durableBytes = end.bytes;
    this.#segmentBegunAtMs = end.begunAtMs ?? options.runtime.now().getTime();
  }

  append(event: AuditEvent): Promise<void> {
    if (this.#closed) return Promise.reject(unavailable(new Error("the log is closed")));
    let text: string;
    try {
      text = JSON.stringify(auditEvent.parse(event));
    } catch (error) {
      return Promise.reject(unavailable(error));
    }
    this.#options.onTaken?.(event, text.length);
    const group = (this.#pending ??= { events: [], outcome: Promise.withResolvers() });
    group.events.push(text);
    this.#flushing ??= this.#flush();
    return group.outcome.promise;
  }

  /** Group commit: everything that came while the last fsync ran goes out with the next one. */
  async #flush(): Promise<void> {
    // One turn later, so that events appended together share their first fsync too.
    await Promise.resolve();
    for (let group = this.#pending; group !== undefined; group = this.#pending) {
      this.#pending = undefined;
      try {
        await this.#writeOrMakeRoom(group.events);
        group.outcome.resolve();
      } catch (error) {
        await this.#cutOff();
        group.outcome.reject(unavailable(error));
      }
    }
    this.#flushing = undefined;
  }

  async #writeOrMakeRoom(events: readonly string[]): Promise<void> {
    try {
      await this.#writeGroup(events);
    } catch (error) {
      if (!isFull(error) || this.#options.giveUpSpace?.() !== true) throw error;
      await this.#cutOff();
      await this.#writeGroup(events);
    }
  }

  /**
   * Takes away what a failed write left behind, before its callers hear of it. On a disk that fails this may fail too:
   * then it is done again, durably, before the next write. What a crash leaves in between says more than was done, not less.
   */
  async #cutOff(): Promise<void> {
    this.#dirty = true;
    await this.#file?.handle.truncate(this.#durableBytes).catch(() => undefined);
  }

  async #writeGroup(events: readonly string[]): Promise<void> {
    const file = await this.#openSegment();
    if (this.#dirty) {
      // What a failed write or fsync left behind was refused to its callers; a line of it must not stay by accident.
      await file.truncate(this.#durableBytes);
      await this.#synchronize(file);
      this.#dirty = false;
    }
    const bytes = this.#bytesOf(events);
    for (let written = 0; written < bytes.length;) {
      written += await writeSome(file, bytes, written, this.#durableBytes + written);
    }
    const synchronized = this.#synchronize(file);
    let whenDurable: (() => void) | undefined;
    try {
      this.#checkItIsThere();
      whenDurable = this.#options.onWritten?.(linesIn(bytes));
    } finally {
      await synchronized;
    }
    this.#lastSeq += events.length;
    this.#durableBytes += bytes.length;
    whenDurable?.();
  }

  #bytesOf(events: readonly string[]): Buffer {
    const rest = `,"at":"${this.#options.runtime.now().toISOString()}","uptimeMs":${this.#options.runtime.uptimeMs()},"server":${this.#server},"event":`;
    const lines = events.map((event, index) => `{"seq":${this.#lastSeq + 1 + index}${rest}${event}}`);
    const last = lines.pop() ?? "";
    lines.push(this.#options.seal?.(lines, last) ?? last);
    const text = `${lines.join("\n")}\n`;
    // At most three bytes in UTF-8 for each unit of UTF-16.
    if (text.length * 3 > this.#bytes.length) return Buffer.from(text);
    return this.#bytes.subarray(0, this.#bytes.write(text));
  }

  /** A file that was removed or exchanged still takes writes; what goes there is on no record. */
  #checkItIsThere(): void {
    const ours = this.#file;
    const named = ours && lstatSync(ours.path);
    if (ours?.ino !== named?.ino || ours?.dev !== named?.dev) throw new Error("the log's file was exchanged");
  }

  async #synchronize(file: FileHandle): Promise<void> {
    await (this.#options.synchronize?.(file) ?? file.datasync());
  }

  async #openSegment(): Promise<FileHandle> {
    const ageMs = this.#options.runtime.now().getTime() - this.#segmentBegunAtMs;
    const full =
      this.#durableBytes >= (this.#options.segmentBytes ?? segmentMiB * 1024 * 1024) ||
      (this.#durableBytes > 0 && ageMs >= (this.#options.segmentAgeMs ?? defaultSegmentAgeMs));
    if (this.#file !== undefined && !full) return this.#file.handle;
    if (full || this.#segment === undefined) {
      await this.#file?.handle.close();
      this.#file = undefined;
      const segment = segmentName(this.#lastSeq + 1);
      const file = await this.#open(segment, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL);
      this.#segment = segment;
      this.#durableBytes = 0;
      this.#segmentBegunAtMs = this.#options.runtime.now().getTime();
      await synchronizeDirectory(this.#options.directory);
      if (full) this.#options.onSegmentOver?.();
      return file;
    }
    return this.#open(this.#segment, constants.O_RDWR);
  }

  async #open(segment: string, flags: number): Promise<FileHandle> {
    const path = join(this.#options.directory, segment);
    const handle = await openFileOfRecord(path, flags);
    const { ino, dev } = fstatSync(handle.fd);
    this.#file = { handle, path, ino, dev };
    return handle;
  }

  async finish(): Promise<void> {
    this.#closed = true;
    await this.#flushing;
  }

  async close(): Promise<void> {
    await this.finish();
    await this.#file?.handle.close();
    this.#file = undefined;
    this.#releaseLock();
  }
}

/**
 * Opens the log for appending, alone: takes its lock, repairs a torn last line and says so with a `log-repaired` event.
 *
 * @throws EndpointError ResourceExists when another process has it, AuditUnavailable when it is damaged
 */
export const openEventLog = async (options: EventLogOptions): Promise<OpenEventLog> => {
  mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  const releaseLock = takeLock(lockIn(join(options.directory, "..")));
  try {
    const end = await findLogEnd(options.directory);
    const first = (await options.onOpened?.(end.repaired?.keptAs)) ?? [];
    const log = new AppendOnlyLog(options, releaseLock, end);
    for (const event of first) await log.append(event);
    if (end.repaired !== undefined) {
      await log.append({
        type: "log-repaired",
        file: end.segment ?? "",
        ...end.repaired,
      });
    }
    return log;
  } catch (error) {
    releaseLock();
    throw error;
  }
};
