import { createPublicKey, type KeyObject } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { EventLog } from "./event.ts";
import { findSegments } from "./log-lines.ts";
import { removeSummaries, signSummary, summariesIn, summaryName } from "./summary.ts";
import type { FromSummaryWorker, MadeSummary, SummaryTask } from "./summary-worker.ts";
import type { Runtime } from "../runtime.ts";
import { startThread, threadEntry } from "../start-thread.ts";

const entry = threadEntry("./summary-worker", import.meta.url);
/** A log that makes it need more is damaged, and must not take the server with it. */
const mostMemoryMb = 1024;
/** A pruning takes summaries away. */
const lookEveryMs = 60 * 60_000;

export interface SummaryOptions {
  /** `audit/`. */
  readonly directory: string;
  /** `log-key`: signs what was made. */
  readonly key: KeyObject;
  readonly log: EventLog & { checkpoint(): Promise<void> };
  /** The operator is told where a start will be slow. */
  readonly runtime: Pick<Runtime, "now" | "report">;
  /** Up to which event the start found a summary; 0 where it found none. */
  readonly through: number;
}

/** Keeps a summary of every segment that is over, so that the next start reads only what came after it. */
export interface SummaryKeeper {
  /** Makes one where it is missing. @returns when it is on the record */
  look(): Promise<void>;
  close(): Promise<void>;
}

/** @returns undefined where there is nothing to summarize */
const make = (task: SummaryTask, key: KeyObject, signal: AbortSignal): Promise<MadeSummary | undefined> =>
  new Promise((resolve, reject) => {
    const worker = startThread(entry, task, { maxOldGenerationSizeMb: mostMemoryMb });
    const stop = (): void => void worker.terminate();
    signal.addEventListener("abort", stop, { once: true });
    let made: MadeSummary | undefined;
    worker.on("message", (message: FromSummaryWorker) => {
      if (message.kind !== "made") return resolve(made);
      ({ made } = message);
      // Here: the log's private key is in no other thread.
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- of windows, which a thread is none
      worker.postMessage(signSummary(made.digest, key));
    });
    worker.once("error", reject);
    worker.once("exit", () => {
      signal.removeEventListener("abort", stop);
      reject(new Error("the thread ended before its work"));
    });
  });

class Keeper implements SummaryKeeper {
  readonly #options: SummaryOptions;
  readonly #closing = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #through: number;
  #looking: Promise<void> | undefined;

  constructor(options: SummaryOptions) {
    this.#options = options;
    this.#through = options.through;
    this.#timer = setInterval(() => void this.look(), lookEveryMs);
    this.#timer.unref();
  }

  look(): Promise<void> {
    this.#looking ??= this.#look()
      .catch((error: unknown) => {
        if (this.#closing.signal.aborted) return;
        this.#options.runtime.report(
          `no summary of the log could be made, so that the next start reads it all: ${String(error)}`,
        );
      })
      .finally(() => {
        this.#looking = undefined;
      });
    return this.#looking;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#closing.abort();
    await this.#looking;
  }

  async #look(): Promise<void> {
    const { directory, key, log, runtime } = this.#options;
    while (!this.#closing.signal.aborted) {
      const through = (findSegments(join(directory, "log")).at(-1)?.firstSeq ?? 1) - 1;
      const isThere = existsSync(join(summariesIn(directory), summaryName(through)));
      if (through === 0 || (through === this.#through && isThere)) return;
      // What is not signed is in no summary.
      await log.checkpoint();
      const publicKey = createPublicKey(key).export({ type: "spki", format: "pem" });
      const made = await make({ directory, publicKey, now: runtime.now() }, key, this.#closing.signal);
      if (made === undefined) throw new Error("the log is not the one that was signed");
      await log.append({ type: "log-summarized", ...made });
      this.#through = made.through;
      removeSummaries(directory, summaryName(made.through));
    }
  }
}

export const keepSummary = (options: SummaryOptions): SummaryKeeper => new Keeper(options);
