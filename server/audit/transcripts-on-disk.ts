import { existsSync, lstatSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { isUnbegun } from "./aborted-sessions.ts";
import { digestInTurns } from "./open-of-record.ts";
import { isAcceptedInPlace, type Counted, type LooseEvent } from "./permissions.ts";
import type { NamedTranscript } from "./record-loss.ts";

/** As the end of its session names it. */
export interface ClosedTranscriptName extends NamedTranscript {
  /** Lines of development versions have none. */
  readonly bytes?: number;
}

/** A transcript in the place of the one that was closed. */
export interface ResizedTranscript {
  readonly closed: NamedTranscript;
  /** Of what is there; an empty one where it is no regular file. */
  readonly found: NamedTranscript;
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

/** The names and lengths of the transcripts that are there, held against those in the log, line by line of it. */
export class TranscriptsOnDisk {
  readonly #directory: string;
  readonly #names: ReadonlySet<string>;
  readonly #unnamed: Set<string>;
  readonly #open = new Map<string, string>();
  readonly #missing = new Map<string, string>();
  readonly #closed = new Map<string, ClosedTranscriptName>();

  constructor(directory: string) {
    this.#directory = directory;
    this.#names = new Set(existsSync(directory) ? readdirSync(directory) : []);
    this.#unnamed = new Set(this.#names);
  }

  /** @returns that of a session which ends here */
  take(event: LooseEvent): ClosedTranscriptName | undefined {
    const sessionId = textOf(event["sessionId"]);
    if (event.type === "session-started") {
      const name = basename(textOf(event["transcript"]));
      if (name === "") return undefined;
      this.#open.set(sessionId, name);
      this.#unnamed.delete(name);
    } else if (event.type === "session-ended") {
      const digest = textOf(event["transcriptDigest"]);
      // Where the start was pruned, the file's name follows from the session's.
      const name = this.#open.get(sessionId) ?? (digest === "" ? "" : `${basename(sessionId)}.cast`);
      this.#open.delete(sessionId);
      if (name === "") return undefined;
      const { transcriptBytes: bytes } = event;
      const ended = { name, digest, ...(typeof bytes === "number" ? { bytes } : {}) };
      this.takeEnded(ended);
      return ended;
    }
    return undefined;
  }

  takeEnded(ended: ClosedTranscriptName): void {
    const { name, digest } = ended;
    this.#unnamed.delete(name);
    if (!this.#names.has(name)) this.#missing.set(name, digest);
    else if (ended.bytes !== undefined) this.#closed.set(name, ended);
  }

  /** Those that no event has named. */
  get unnamed(): ReadonlySet<string> {
    return this.#unnamed;
  }

  /**
   * Those that are not as long as they were when they were closed, or no regular files. A stat(2) for each is the dearest part of a start
   * on many; nothing less tells.
   */
  async resized(counted: Counted, stop: AbortSignal | undefined): Promise<ResizedTranscript[]> {
    const resized: ResizedTranscript[] = [];
    for (const [name, { digest, bytes }] of this.#closed) {
      const path = join(this.#directory, name);
      const is = lstatSync(path, { throwIfNoEntry: false });
      if (is?.isFile() === true && is.size === bytes) continue;
      const found = { name, digest: await digestInTurns(path, stop) };
      if (!isAcceptedInPlace(counted, { name, digest }, found.digest))
        resized.push({ closed: { name, digest }, found });
    }
    return resized;
  }

  /** Of sessions that ended. One of a session without an end, the disk may have lost: the start ends it, and says so. */
  missing({ transcripts }: Counted): NamedTranscript[] {
    return [...this.#missing]
      .map(([name, digest]) => ({ name, digest }))
      .filter(({ name, digest }) => {
        const permitted = transcripts.get(name);
        return permitted === undefined || !(permitted === "" || digest === "" || permitted === digest);
      });
  }

  /** One that holds a header only shows nothing: a crash leaves it, and the next start takes it away. */
  async extra(
    { transcripts, extra, oldThroughSeq }: Counted,
    stop: AbortSignal | undefined,
  ): Promise<NamedTranscript[]> {
    if (oldThroughSeq > 0) return []; // events of development versions that named them may be gone
    const found: NamedTranscript[] = [];
    for (const name of this.#unnamed) {
      if (!name.endsWith(".cast") || extra.has(name)) continue;
      const path = join(this.#directory, name);
      const pruned = transcripts.get(name);
      // The old form has no digest.
      if (pruned === "") continue;
      if (pruned === undefined && isUnbegun(path)) continue;
      const digest = await digestInTurns(path, stop);
      // One that was to be pruned may be there still, as a stop or a crash leaves it: that one, and no other of its name.
      if (pruned === undefined || (pruned !== digest && !isUnbegun(path))) found.push({ name, digest });
    }
    return found;
  }
}
