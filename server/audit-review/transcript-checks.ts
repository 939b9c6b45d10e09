import { existsSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { digestOfRecord, digestOrNone } from "../audit/open-of-record.ts";
import { isAcceptedInPlace, mayBeMissing, type Counted } from "../audit/permissions.ts";
import { numberOf, textOf, type ReadEvent } from "./decode-line.ts";
import type { Findings } from "./findings.ts";

const unreadable = (transcript: string, seq: number, error: unknown): string =>
  `audit/transcripts/${transcript} can't be read (event ${seq}): ${error instanceof Error ? error.message : String(error)}`;

/** Transcripts against the log: each one that the log names is there, is the one that was closed, and there are no others. */
export class TranscriptChecks {
  readonly #directory: string;
  readonly #findings: Findings;
  /** Files that no event has named yet. */
  readonly #unnamed: Set<string>;
  /** Sessions under way: their transcript, by session. Those that ended take no memory. */
  readonly #open = new Map<string, string>();
  /** With the digest that the log has; no problem where a signed `log-pruned` names them. */
  readonly #missing = new Map<string, { readonly seq: number; readonly digest: string }>();

  /** Not the one that was closed; no problem where it was accepted in its place. */
  readonly #changed = new Map<string, { readonly digest: string; readonly problem: string }>();

  readonly #leftBehind: { readonly name: string; readonly digest: string }[] = [];

  constructor(directory: string, findings: Findings) {
    this.#directory = directory;
    this.#findings = findings;
    this.#unnamed = new Set(existsSync(directory) ? readdirSync(directory) : []);
  }

  take(event: ReadEvent, seq: number): void {
    if (event.type === "session-started") this.#started(event, seq);
    else if (event.type === "session-ended") this.#ended(event, seq);
  }

  /** Of events that development versions pruned. */
  get leftBehind(): readonly { readonly name: string; readonly digest: string }[] {
    return this.#leftBehind;
  }

  end(counted: Counted): void {
    for (const [name, { seq, digest }] of this.#missing) {
      if (mayBeMissing(counted, { name, digest })) continue;
      this.#findings.problem(`audit/transcripts/${name} is missing: event ${seq} names it`);
    }
    for (const [name, { digest, problem }] of this.#changed) {
      const path = join(this.#directory, name);
      if (!counted.extra.has(name) || !isAcceptedInPlace(counted, { name, digest }, digestOrNone(path))) {
        this.#findings.problem(problem);
      }
    }
    for (const [sessionId] of this.#open) {
      this.#findings.notice(`session ${sessionId} has no end: it runs, or the server was killed and not started since`);
    }
    for (const name of this.#unnamed) {
      // Taken away since the directory was read, as that of a session which could not begin is.
      if (!existsSync(join(this.#directory, name))) continue;
      const accepted = counted.extra.get(name);
      if (accepted !== undefined) {
        if (accepted !== digestOrNone(join(this.#directory, name))) {
          this.#findings.problem(
            `audit/transcripts/${name} belongs to no session, and is not the file that was accepted`,
          );
        }
        continue;
      }
      const pruned = counted.transcripts.get(name) ?? "";
      if (pruned !== "") {
        this.#stillThere(name, pruned);
        continue;
      }
      const text = `audit/transcripts/${name} belongs to no session on the record`;
      if (counted.oldThroughSeq === 0) {
        this.#findings.problem(text);
        continue;
      }
      this.#findings.notice(`${text}; the events that named it may have been pruned`);
      const digest = this.#digestOf(name, counted.oldThroughSeq);
      if (digest !== "") this.#leftBehind.push({ name, digest });
    }
  }

  /** The event that took it away was signed before it went: a stop or a crash may leave it, unchanged. */
  #stillThere(name: string, digest: string): void {
    if (digestOrNone(join(this.#directory, name)) !== digest) {
      this.#findings.problem(`audit/transcripts/${name} is not the one of its name that was pruned`);
      return;
    }
    this.#findings.notice(`audit/transcripts/${name} was pruned, on the record, and is there still`);
    this.#leftBehind.push({ name, digest });
  }

  #started(event: ReadEvent, seq: number): void {
    const transcript = basename(textOf(event, "transcript"));
    if (transcript === "") return;
    this.#open.set(textOf(event, "sessionId"), transcript);
    if (!this.#isThere(transcript)) this.#missing.set(transcript, { seq, digest: "" });
  }

  #ended(event: ReadEvent, seq: number): void {
    const sessionId = textOf(event, "sessionId");
    const digest = textOf(event, "transcriptDigest");
    // Where the start was pruned, the file's name follows from the session's.
    const transcript = this.#open.get(sessionId) ?? (digest === "" ? undefined : `${basename(sessionId)}.cast`);
    this.#open.delete(sessionId);
    if (transcript === undefined) return;
    if (!this.#isThere(transcript)) {
      this.#missing.set(transcript, { seq, digest });
    } else if (digest === "") {
      this.#findings.notice(
        `audit/transcripts/${transcript} has no digest in the log (event ${seq}): it could not be closed, and may have been changed since`,
      );
    } else {
      const problem = this.#changeOf(transcript, seq, digest, numberOf(event, "transcriptBytes"));
      if (problem !== undefined) this.#changed.set(transcript, { digest, problem });
    }
  }

  /** @returns a problem, where it is not the one that was closed */
  #changeOf(transcript: string, seq: number, digest: string, bytes: number | undefined): string | undefined {
    try {
      if (digestOfRecord(join(this.#directory, transcript), bytes) === digest) return undefined;
      return `audit/transcripts/${transcript} was changed after it was closed (event ${seq})`;
    } catch (error) {
      return unreadable(transcript, seq, error);
    }
  }

  /** A digest that fits none where it can't be read. */
  #digestOf(transcript: string, seq: number): string {
    try {
      return digestOfRecord(join(this.#directory, transcript));
    } catch (error) {
      this.#findings.problem(unreadable(transcript, seq, error));
      return "";
    }
  }

  #isThere(name: string): boolean {
    // A session may have been started since the directory was read.
    return this.#unnamed.delete(name) || existsSync(join(this.#directory, name));
  }
}
