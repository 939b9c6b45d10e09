import { createHash } from "node:crypto";
import { closeSync, existsSync, openSync, readdirSync, readSync } from "node:fs";
import { basename, join } from "node:path";
import { textOf, type ReadEvent } from "./decode-line.ts";
import type { Findings } from "./findings.ts";

const blockBytes = 256 * 1024;

const digestOf = (path: string): string => {
  const hash = createHash("sha256");
  const fd = openSync(path, "r");
  try {
    const block = Buffer.allocUnsafe(blockBytes);
    for (;;) {
      const length = readSync(fd, block, 0, block.length, null);
      if (length === 0) return hash.digest("hex");
      hash.update(block.subarray(0, length));
    }
  } finally {
    closeSync(fd);
  }
};

/** Transcripts against the log: each one that the log names is there, is the one that was closed, and there are no others. */
export class TranscriptChecks {
  readonly #directory: string;
  readonly #findings: Findings;
  /** Files that no event has named yet. */
  readonly #unnamed: Set<string>;
  /** Sessions under way: their transcript, by session. Those that ended take no memory. */
  readonly #open = new Map<string, string>();
  /** Told missing already, until a `log-pruned` event names them. */
  readonly #missing = new Map<string, number>();

  constructor(directory: string, findings: Findings) {
    this.#directory = directory;
    this.#findings = findings;
    this.#unnamed = new Set(existsSync(directory) ? readdirSync(directory) : []);
  }

  take(event: ReadEvent, seq: number): void {
    if (event.type === "session-started") this.#started(event, seq);
    else if (event.type === "session-ended") this.#ended(event, seq);
    else if (event.type === "log-pruned" && Array.isArray(event["transcripts"])) {
      for (const name of event["transcripts"]) this.#missing.delete(String(name));
    }
  }

  end(hasPruned: boolean): void {
    for (const [name, seq] of this.#missing) {
      this.#findings.problem(`audit/transcripts/${name} is missing: event ${seq} names it`);
    }
    for (const [sessionId] of this.#open) {
      this.#findings.notice(`session ${sessionId} has no end: it runs, or the server was killed and not started since`);
    }
    for (const name of this.#unnamed) {
      const text = `audit/transcripts/${name} is no session's on the record`;
      if (hasPruned) this.#findings.notice(`${text}; the events that named it may have been pruned`);
      else this.#findings.problem(text);
    }
  }

  #started(event: ReadEvent, seq: number): void {
    const transcript = basename(textOf(event, "transcript"));
    if (transcript === "") return;
    this.#open.set(textOf(event, "sessionId"), transcript);
    if (!this.#isThere(transcript)) this.#missing.set(transcript, seq);
  }

  #ended(event: ReadEvent, seq: number): void {
    const sessionId = textOf(event, "sessionId");
    const digest = textOf(event, "transcriptDigest");
    // Where the start was pruned, the file's name follows from the session's.
    const transcript = this.#open.get(sessionId) ?? (digest === "" ? undefined : `${basename(sessionId)}.cast`);
    this.#open.delete(sessionId);
    if (transcript === undefined) return;
    if (!this.#isThere(transcript)) {
      this.#missing.set(transcript, seq);
    } else if (digest === "") {
      this.#findings.notice(
        `audit/transcripts/${transcript} has no digest in the log (event ${seq}): it could not be closed, and may have been changed since`,
      );
    } else if (digestOf(join(this.#directory, transcript)) !== digest) {
      this.#findings.problem(`audit/transcripts/${transcript} was changed after it was closed (event ${seq})`);
    }
  }

  #isThere(name: string): boolean {
    // A session may have been started since the directory was read.
    return this.#unnamed.delete(name) || existsSync(join(this.#directory, name));
  }
}
