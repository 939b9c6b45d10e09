import { stopped } from "../errors.ts";
import { identitiesOf, type Party } from "../identity/party.ts";

/** The right of one command to run. */
export interface Turn {
  /** The command waits for its user: meanwhile another one may run. */
  pause(): void;
  resume(signal: AbortSignal): Promise<void>;
  end(): void;
}

/** Of what needs none. */
export const noTurn: Turn = { pause: () => undefined, resume: () => Promise.resolve(), end: () => undefined };

interface Waiting {
  readonly identities: readonly string[];
  readonly go: () => void;
}

/**
 * Lets only so many commands of one party run at a time; further ones wait in the order in which they came. A command counts for
 * each of its party's identities, and waits for those alone that share one, so that nobody waits for another's queue. The queue
 * needs no bound of its own: a session runs one command at a time, and sessions are limited.
 */
export class CommandTurns {
  readonly #most: () => number;
  /** Identity → commands that run. */
  readonly #running = new Map<string, number>();
  readonly #waiting = new Set<Waiting>();

  /** @param most commands of one party at a time; asked anew each time, so that a reload counts */
  constructor(most: () => number) {
    this.#most = most;
  }

  /**
   * @param onWaiting called where the command has to wait
   * @throws EndpointError OperationStopped when the signal aborts first
   */
  async take(party: Party, signal: AbortSignal, onWaiting?: (running: number) => void): Promise<Turn> {
    const identities = identitiesOf(party);
    await this.#enter(identities, signal, onWaiting);
    let state: "running" | "paused" | "ended" = "running";
    const leave = (next: "paused" | "ended"): void => {
      const before = state;
      if (before === "ended") return;
      state = next;
      if (before === "running") this.#leave(identities);
    };
    return {
      pause: () => leave("paused"),
      resume: async (signalNow) => {
        if (state !== "paused") return;
        await this.#enter(identities, signalNow);
        state = "running";
      },
      end: () => leave("ended"),
    };
  }

  async #enter(
    identities: readonly string[],
    signal: AbortSignal,
    onWaiting?: (running: number) => void,
  ): Promise<void> {
    const isBehind = [...this.#waiting].some((one) => one.identities.some((identity) => identities.includes(identity)));
    if (!isBehind && this.#hasRoom(identities)) {
      this.#count(identities, 1);
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting: Waiting = { identities, go: resolve };
    const stop = (): void => {
      if (!this.#waiting.delete(waiting)) return; // its turn has come
      reject(stopped());
      this.#wake();
    };
    this.#waiting.add(waiting);
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    else onWaiting?.(Math.max(...identities.map((identity) => this.#running.get(identity) ?? 0)));
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  #hasRoom(identities: readonly string[]): boolean {
    const most = this.#most();
    return identities.every((identity) => (this.#running.get(identity) ?? 0) < most);
  }

  #count(identities: readonly string[], by: 1 | -1): void {
    for (const identity of identities) {
      const running = (this.#running.get(identity) ?? 0) + by;
      if (running === 0) this.#running.delete(identity);
      else this.#running.set(identity, running);
    }
  }

  #leave(identities: readonly string[]): void {
    this.#count(identities, -1);
    this.#wake();
  }

  #wake(): void {
    /** Of those that go on waiting: who shares one with them came later. */
    const taken = new Set<string>();
    for (const waiting of this.#waiting) {
      const { identities, go } = waiting;
      if (identities.some((identity) => taken.has(identity)) || !this.#hasRoom(identities)) {
        for (const identity of identities) taken.add(identity);
        continue;
      }
      this.#waiting.delete(waiting);
      this.#count(identities, 1); // here, not when it wakes up: another one may ask in between
      go();
    }
  }
}
