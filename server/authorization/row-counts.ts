import { setTimeout as sleep } from "node:timers/promises";

/** What was found when the rows of a request were counted. */
export interface Counted {
  /** Rows that the invocation would answer; absent where they could not be counted. */
  readonly ceiling?: number;
  /** A sentence for the approver. */
  readonly finding?: string;
  /** For the log: a bug. */
  readonly error?: string;
}

/** The requester's answer is on its way first: what counting costs this process must not be felt in its time. */
const pauseMs = 100;
/** Longer than a site database of a million keys needs. */
const longestMs = 60_000;

/**
 * Counts the rows of requests, one after the other for each requester: twenty requests of one user must not be twenty questions
 * at once. The requester does not wait for it, as the time it takes would tell what is there.
 */
export class RowCounts {
  readonly #lanes = new Map<string, Promise<void>>();
  readonly #closing = new AbortController();

  /**
   * @param count stops soon after its signal aborts; `undefined` where nothing needs to be known
   * @returns resolves when `done` has taken what was found, or nothing more will come; never rejects
   */
  start(
    requester: string,
    count: (signal: AbortSignal) => Promise<Counted | undefined>,
    done: (counted: Counted) => Promise<void>,
  ): Promise<void> {
    const before = this.#lanes.get(requester) ?? Promise.resolve();
    const lane = this.#after(before, count, done).finally(() => {
      if (this.#lanes.get(requester) === lane) this.#lanes.delete(requester);
    });
    this.#lanes.set(requester, lane);
    return lane;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#lanes.values());
  }

  async #after(
    before: Promise<void>,
    count: (signal: AbortSignal) => Promise<Counted | undefined>,
    done: (counted: Counted) => Promise<void>,
  ): Promise<void> {
    const pause = sleep(pauseMs, undefined, { signal: this.#closing.signal, ref: false }).catch(() => undefined); // closing
    await Promise.all([before, pause]);
    try {
      const counted = await this.#count(count);
      if (counted !== undefined) await done(counted);
    } catch {
      // What can't be recorded is not counted, so nobody can approve it; the next question for its rows tries again.
    }
  }

  async #count(count: (signal: AbortSignal) => Promise<Counted | undefined>): Promise<Counted | undefined> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), longestMs);
    const signal = AbortSignal.any([this.#closing.signal, late.signal]);
    const stopped = Promise.withResolvers<Counted | undefined>();
    const stop = (): void =>
      stopped.resolve(
        this.#closing.signal.aborted ? undefined : { finding: "The rows could not be counted within a minute." },
      );
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    try {
      return await Promise.race([signal.aborted ? stopped.promise : count(signal), stopped.promise]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
    }
  }
}
