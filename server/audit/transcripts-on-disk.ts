import { existsSync, lstatSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { isUnbegun } from "./aborted-sessions.ts";
import { digestInTurns } from "./open-of-record.ts";
import { isAcceptedInPlace, mayBeMissing, type Counted, type LooseEvent } from "./permissions.ts";
import type { NamedTranscript } from "./record-loss.ts";

/** As the end of its session names it. */
export interface EndedTranscript extends NamedTranscript {
  /** Lines of development versions have none. */
  readonly bytes: number | undefined;
}

/** What is not there, and what is there in the place of a transcript that was closed. */
interface Difference {
  readonly missing: readonly NamedTranscript[];
  /** Of another length, or no regular file. */
  readonly resized: readonly { readonly closed: NamedTranscript; readonly found: NamedTranscript }[];
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

/** The names and lengths of the transcripts that are there, held against those in the log, line by line of it. */
export class TranscriptsOnDisk {
  readonly #directory: string;
  readonly #unnamed: Set<string>;
  readonly #open = new Map<string, string>();
  /** By name. */
  readonly #ended = new Map<string, EndedTranscript>();

  constructor(directory: string) {
    this.#directory = directory;
    this.#unnamed = new Set(existsSync(directory) ? readdirSync(directory) : []);
  }

  /** Those that no event has named. */
  get unnamed(): ReadonlySet<string> {
    return this.#unnamed;
  }

  /** @returns that of a session which ends here */
  take(event: LooseEvent): EndedTranscript | undefined {
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
      const { transcriptBytes } = event;
      const ended = { name, digest, bytes: typeof transcriptBytes === "number" ? transcriptBytes : undefined };
      this.takeEnded(ended);
      return ended;
    }
    return undefined;
  }

  /** The first end counts: a session has one, and whoever can append a line can't put it before that. */
  takeEnded(ended: EndedTranscript): void {
    this.#unnamed.delete(ended.name);
    if (!this.#ended.has(ended.name)) this.#ended.set(ended.name, ended);
  }

  /**
   * Of sessions that ended. One of a session without an end, the disk may have lost: the start ends it, and says so. A stat(2) for each is the
   * dearest part of a start on many; nothing less tells.
   */
  async differences(counted: Counted, stop: AbortSignal | undefined): Promise<Difference> {
    const missing: NamedTranscript[] = [];
    const resized: Difference["resized"][number][] = [];
    for (const { name, digest, bytes } of this.#ended.values()) {
      const path = `${this.#directory}/${name}`; // a name only: join() takes longer than the look
      const is = lstatSync(path, { throwIfNoEntry: false });
      if (is === undefined) {
        if (!mayBeMissing(counted, { name, digest })) missing.push({ name, digest });
      } else if (bytes !== undefined && (is.size !== bytes || !is.isFile())) {
        const found = { name, digest: await digestInTurns(path, stop) };
        if (!isAcceptedInPlace(counted, { name, digest }, found.digest)) {
          resized.push({ closed: { name, digest }, found });
        }
      }
    }
    return { missing, resized };
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
