import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { open, rm, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { EndpointError } from "../errors.ts";
import type { ClosedTranscript, OpenTranscript, Transcript, TranscriptHeader } from "./contract.ts";
import { isFull } from "./rescue-space.ts";
import { writeSome } from "./write-some.ts";

type EventCode = "o" | "r" | "m" | "x";

export interface TranscriptOptions {
  readonly now: () => Date;
  /** A monotonic clock. */
  readonly clockMs: () => number;
  /** A session that shows more than this ends: one user must not fill the disk that everybody's record needs. */
  readonly limitBytes?: number;
  /** Makes room on a full disk, once. @returns whether it could */
  readonly giveUpSpace?: () => boolean;
}

const defaultLimitBytes = 64 * 1024 * 1024;

/** A transcript's file, just made. */
interface OpenFile {
  readonly name: string;
  readonly path: string;
  readonly handle: FileHandle;
}

class Asciicast implements Transcript {
  readonly fileName: string;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #clockMs: () => number;
  readonly #limitBytes: number;
  readonly #giveUpSpace: () => boolean;
  readonly #onWritten: (bytes: number) => void;
  readonly #digest = createHash("sha256");
  /** Length of what was written whole; bytes after it are of a write that failed. */
  #wholeBytes = 0;
  /** Time that the events written so far add up to: intervals are rounded from it, so that errors don't add up. */
  #writtenMs: number;
  #last: Promise<void> = Promise.resolve();
  #closing: Promise<ClosedTranscript> | undefined;

  constructor(file: OpenFile, options: TranscriptOptions, onWritten: ((bytes: number) => void) | undefined) {
    this.fileName = file.name;
    this.#path = file.path;
    this.#file = file.handle;
    this.#clockMs = options.clockMs;
    this.#limitBytes = options.limitBytes ?? defaultLimitBytes;
    this.#giveUpSpace = options.giveUpSpace ?? (() => false);
    this.#onWritten = onWritten ?? (() => undefined);
    this.#writtenMs = Math.round(options.clockMs());
  }

  header(header: TranscriptHeader, startedAt: Date): Promise<void> {
    return this.#write({
      version: 3,
      term: { cols: header.columns, rows: header.rows, type: header.term },
      timestamp: Math.floor(startedAt.getTime() / 1000),
      title: header.sessionId,
    });
  }

  output(text: string): Promise<void> {
    return text === "" ? this.#last : this.#write(this.#event("o", text));
  }

  resize(columns: number, rows: number): Promise<void> {
    return this.#write(this.#event("r", `${columns}x${rows}`));
  }

  marker(label: string): Promise<void> {
    return this.#write(this.#event("m", label));
  }

  close(exitStatus: number): Promise<ClosedTranscript> {
    this.#closing ??= this.#finish(exitStatus);
    return this.#closing;
  }

  async discard(): Promise<void> {
    await this.#last.catch(() => undefined);
    await this.#file.close();
    await rm(this.#path, { force: true });
  }

  async #finish(exitStatus: number): Promise<ClosedTranscript> {
    const failure = await this.#last.then(
      () => undefined,
      (error: unknown) => error,
    );
    try {
      // What failed was not shown: up to here it is whole, and it says itself why it ends.
      if (failure !== undefined) await this.#put(this.#event("m", `ended: ${endOf(failure)}`));
      await this.#put(this.#event("x", String(exitStatus)));
      // What a failed write left, and could not be cut off then: a start holds the length against the log.
      await this.#file.truncate(this.#wholeBytes);
      await this.#file.datasync();
      return { transcriptDigest: this.#digest.digest("hex"), transcriptBytes: this.#wholeBytes };
    } catch (error) {
      throw unavailable(error);
    } finally {
      await this.#file.close();
    }
  }

  #event(code: EventCode, text: string): unknown {
    const intervalMs = Math.max(0, Math.round(this.#clockMs()) - this.#writtenMs);
    this.#writtenMs += intervalMs;
    return [intervalMs / 1000, code, text];
  }

  /** One write after the other; the first that fails fails all later ones: a transcript with a hole is no transcript. */
  #write(line: unknown): Promise<void> {
    this.#last = this.#append(this.#last, line);
    this.#last.catch(() => undefined); // each caller gets the rejection through its own promise
    return this.#last;
  }

  async #append(before: Promise<void>, line: unknown): Promise<void> {
    await before;
    if (this.#closing !== undefined) throw unavailable(new Error("the transcript is closed"));
    if (this.#wholeBytes >= this.#limitBytes) throw tooLong(this.#limitBytes);
    try {
      await this.#put(line);
    } catch (error) {
      throw unavailable(error);
    }
  }

  async #put(line: unknown): Promise<void> {
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
    try {
      await this.#putBytes(bytes);
    } catch (error) {
      if (!isFull(error) || !this.#giveUpSpace()) throw error;
      await this.#putBytes(bytes);
    }
    this.#wholeBytes += bytes.length;
    this.#digest.update(bytes);
    this.#onWritten(bytes.length);
  }

  async #putBytes(bytes: Buffer): Promise<void> {
    try {
      for (let written = 0; written < bytes.length;) {
        written += await writeSome(this.#file, bytes, written, this.#wholeBytes + written);
      }
    } catch (error) {
      await this.#file.truncate(this.#wholeBytes).catch(() => undefined); // what stays is seen by the next start, as after a crash
      throw error;
    }
  }
}

const endOf = (failure: unknown): string =>
  failure instanceof EndpointError && failure.category === "LimitsExceeded"
    ? "the transcript reached its limit"
    : "the transcript could not be written";

const tooLong = (limitBytes: number): EndpointError =>
  new EndpointError(
    "LimitsExceeded",
    `This session's transcript has reached its limit of ${limitBytes / 1024 ** 2} MiB, so the session ends. Log in again to go on.`,
  );

const unavailable = (cause: unknown): EndpointError =>
  cause instanceof EndpointError
    ? cause
    : new EndpointError("AuditUnavailable", "The session can't be recorded any more, so it ends.", { cause });

/**
 * Makes the opener of transcripts: asciicast v3 (docs.asciinema.org/manual/asciicast/v3), one file a session, 0600.
 *
 * @param directory `audit/transcripts`; made when it is not there
 */
export const transcriptsIn = (directory: string, options: TranscriptOptions): OpenTranscript => {
  return async (header, onWritten) => {
    const name = `${header.sessionId}.cast`;
    const path = join(directory, name);
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      const handle = await open(path, "wx", 0o600);
      const transcript = new Asciicast({ name, path, handle }, options, onWritten);
      try {
        await transcript.header(header, options.now());
      } catch (error) {
        await transcript.discard();
        throw error;
      }
      return transcript;
    } catch (error) {
      throw unavailable(error);
    }
  };
};
