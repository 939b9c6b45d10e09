import { setTimeout } from "node:timers/promises";
import type { AuditEvent, EventLog } from "../audit/event.ts";
import { doInWorker } from "./run-in-worker.ts";
import type { Runtime } from "../runtime.ts";

export interface RecordWatchOptions {
  readonly dataDirectory: string;
  /** PEM of the log's public key. */
  readonly publicKey: string;
  readonly log: EventLog;
  /** What a verification of an earlier run found, and none found gone. */
  readonly foundBefore: readonly string[];
  readonly runtime: Pick<Runtime, "now" | "report">;
  /** Between two verifications, until a problem is certain. */
  readonly confirmMs?: number;
  /** And then, until it is gone. */
  readonly againMs?: number;
  /** From the end of a verification that found nothing to the next one. */
  readonly everyMs: number;
}

/** Whether the record holds as a whole. A start reads little of it; the rest is verified beside the sessions. */
export interface RecordWatch {
  /** What is wrong. While there is anything, no session starts. */
  problems(): readonly string[];
  /** The same, how many verifications found nothing since the start, and when the last one of these ended. */
  state(): { readonly problems: readonly string[]; readonly held: number; readonly heldAt?: string };
  /** Verifies until the record holds, and again every so often. @returns when it holds for the first time, or when it is closed */
  begin(): Promise<void>;
  close(): Promise<void>;
}

/**
 * What the server writes meanwhile can look wrong for a moment, and so can a pruning: a problem counts once two verifications
 * that are so far apart say it.
 */
const defaultConfirmMs = 10_000;
const defaultAgainMs = 10 * 60_000;
/** Verifying needs the names of the transcripts. A log that makes it need more is damaged. */
const mostMemoryMb = 1024;
const mostNamed = 10;

const inWords = (problems: readonly string[]): string =>
  `${problems[0] ?? ""}${problems.length > 1 ? `, and ${problems.length - 1} more` : ""}`;

const whatToDo =
  "Run: pep audit verify. Put back what was changed; or take a changed transcript out of audit/transcripts, and accept the loss: pep audit accept-loss";

class Watch implements RecordWatch {
  readonly #options: RecordWatchOptions;
  readonly #closing = new AbortController();
  #problems: readonly string[];
  #isRecorded: boolean;
  #held = 0;
  #heldAt: Date | undefined;
  readonly #firstHeld = Promise.withResolvers<void>();
  #watching: Promise<void> | undefined;

  constructor(options: RecordWatchOptions) {
    this.#options = options;
    this.#problems = options.foundBefore;
    this.#isRecorded = this.#problems.length > 0;
    if (!this.#isRecorded) return;
    options.runtime.report(
      `a verification before this start found that the record does not hold: ${inWords(this.#problems)}. No session starts until a whole verification finds nothing`,
    );
  }

  problems(): readonly string[] {
    return this.#problems;
  }

  state(): ReturnType<RecordWatch["state"]> {
    const held = { problems: this.#problems, held: this.#held };
    return this.#heldAt === undefined ? held : { ...held, heldAt: this.#heldAt.toISOString() };
  }

  begin(): Promise<void> {
    this.#watching ??= this.#watch()
      .catch((error: unknown) => {
        if (!this.#closing.signal.aborted)
          this.#options.runtime.report(`the record is no longer verified: ${String(error)}`);
      })
      .finally(this.#firstHeld.resolve);
    return this.#firstHeld.promise;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#watching;
  }

  async #watch(): Promise<void> {
    for (;;) {
      await this.#untilItHolds();
      this.#held += 1;
      this.#heldAt = this.#options.runtime.now();
      this.#firstHeld.resolve();
      await this.#wait(this.#options.everyMs);
    }
  }

  async #wait(ms: number): Promise<void> {
    await setTimeout(ms, undefined, { ref: false, signal: this.#closing.signal });
  }

  async #untilItHolds(): Promise<void> {
    const { confirmMs = defaultConfirmMs, againMs = defaultAgainMs } = this.#options;
    let before: ReadonlySet<string> = new Set();
    for (;;) {
      const found = await this.#verify();
      if (found.length === 0 && (await this.#holds())) return;
      const certain = found.filter((problem) => before.has(problem));
      if (certain.length > 0) await this.#fails(certain);
      before = new Set(found);
      await this.#wait(certain.length > 0 ? againMs : confirmMs);
    }
  }

  async #verify(): Promise<readonly string[]> {
    const { dataDirectory, publicKey } = this.#options;
    const { signal } = this.#closing;
    try {
      const task = {
        kind: "verify",
        dataDirectory,
        publicKey,
        sinceCheckpoint: undefined,
        inBackground: true,
      } as const;
      return (await doInWorker(task, { signal, mostMemoryMb })).problems;
    } catch (error) {
      signal.throwIfAborted();
      // An attacker could make the record impossible to verify, so that counts as damage.
      return [`the record could not be verified: ${error instanceof Error ? error.message : String(error)}`];
    }
  }

  /** @returns whether that is on the record, where it has to be: the next start must know it too */
  async #holds(): Promise<boolean> {
    if (this.#problems.length === 0) return true;
    if (!(await this.#record({ type: "record-verification", state: "passed", problems: [] }))) return false;
    this.#problems = [];
    this.#isRecorded = false;
    this.#options.runtime.report("the record was verified whole, and holds: sessions start again");
    return true;
  }

  /** Sessions stop whether or not it can be recorded. */
  async #fails(problems: readonly string[]): Promise<void> {
    if (this.#problems.length === 0) {
      this.#options.runtime.report(
        `the record does not hold, and no session starts: ${inWords(problems)}. ${whatToDo}`,
      );
    }
    this.#problems = problems;
    this.#isRecorded ||= await this.#record({
      type: "record-verification",
      state: "failed",
      problems: problems.slice(0, mostNamed),
    });
  }

  async #record(event: Extract<AuditEvent, { type: "record-verification" }>): Promise<boolean> {
    try {
      await this.#options.log.append(event);
      return true;
    } catch (error) {
      this.#options.runtime.report(`what a verification found could not be recorded: ${String(error)}`);
      return false;
    }
  }
}

/** Verifies the whole record in a thread of low priority, from when it is told to begin. */
export const watchRecord = (options: RecordWatchOptions): RecordWatch => new Watch(options);
