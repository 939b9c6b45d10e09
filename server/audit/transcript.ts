import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { EndpointError } from "../errors.ts";
import type { OpenTranscript, Transcript, TranscriptHeader } from "./contract.ts";

type EventCode = "o" | "r" | "m" | "x";

class Asciicast implements Transcript {
  readonly fileName: string;
  readonly #file: FileHandle;
  readonly #clockMs: () => number;
  readonly #digest = createHash("sha256");
  /** Time that the events written so far add up to: intervals are rounded from it, so that errors don't add up. */
  #writtenMs: number;
  #last: Promise<void> = Promise.resolve();
  #closing: Promise<string> | undefined;

  constructor(fileName: string, file: FileHandle, clockMs: () => number) {
    this.fileName = fileName;
    this.#file = file;
    this.#clockMs = clockMs;
    this.#writtenMs = Math.round(clockMs());
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
    return text === "" ? this.#last : this.#event("o", text);
  }

  resize(columns: number, rows: number): Promise<void> {
    return this.#event("r", `${columns}x${rows}`);
  }

  marker(label: string): Promise<void> {
    return this.#event("m", label);
  }

  close(exitStatus: number): Promise<string> {
    this.#closing ??= this.#finish(exitStatus);
    return this.#closing;
  }

  async #finish(exitStatus: number): Promise<string> {
    try {
      await this.#event("x", String(exitStatus));
      await this.#file.datasync();
      return this.#digest.digest("hex");
    } catch (error) {
      throw unavailable(error);
    } finally {
      await this.#file.close();
    }
  }

  #event(code: EventCode, text: string): Promise<void> {
    const intervalMs = Math.max(0, Math.round(this.#clockMs()) - this.#writtenMs);
    this.#writtenMs += intervalMs;
    return this.#write([intervalMs / 1000, code, text]);
  }

  /** One write after the other; the first that fails fails all later ones: a transcript with a hole is no transcript. */
  #write(line: unknown): Promise<void> {
    this.#last = this.#append(this.#last, Buffer.from(`${JSON.stringify(line)}\n`));
    this.#last.catch(() => undefined); // each caller gets the rejection through its own promise
    return this.#last;
  }

  async #append(before: Promise<void>, bytes: Buffer): Promise<void> {
    await before;
    try {
      await this.#file.appendFile(bytes);
      this.#digest.update(bytes);
    } catch (error) {
      throw unavailable(error);
    }
  }
}

const unavailable = (cause: unknown): EndpointError =>
  cause instanceof EndpointError
    ? cause
    : new EndpointError("AuditUnavailable", "The session can't be recorded any more, so it ends.", { cause });

/**
 * Makes the opener of transcripts: asciicast v3 (docs.asciinema.org/manual/asciicast/v3), one file a session, 0600.
 *
 * @param directory `audit/transcripts`; made when it is not there
 * @param clockMs a monotonic clock
 */
export const transcriptsIn = (directory: string, now: () => Date, clockMs: () => number): OpenTranscript => {
  return async (header) => {
    const fileName = `${header.sessionId}.cast`;
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      const file = await open(join(directory, fileName), "wx", 0o600);
      const transcript = new Asciicast(fileName, file, clockMs);
      try {
        await transcript.header(header, now());
      } catch (error) {
        await file.close();
        throw error;
      }
      return transcript;
    } catch (error) {
      throw unavailable(error);
    }
  };
};
