import { EndpointError } from "../errors.ts";

/** The right of one command to run. */
export interface Turn {
  /** The command waits for its user: meanwhile another one may run. */
  pause(): void;
  resume(signal: AbortSignal): Promise<void>;
  end(): void;
}

/** Of what needs none. */
export const noTurn: Turn = { pause: () => undefined, resume: () => Promise.resolve(), end: () => undefined };

interface Lane {
  /** Commands that run, pause or wait: while there are any, the lane is kept. */
  known: number;
  running: number;
  readonly waiting: Set<() => void>;
}

/**
 * Lets only so many commands of one user run at a time; further ones wait in the order in which they came. Each user has
 * a lane of their own, so that nobody waits for another's queue. It needs no bound of its own: a session runs one command
 * at a time, and sessions are limited.
 */
export class CommandTurns {
  readonly #most: () => number;
  readonly #lanes = new Map<string, Lane>();

  /** @param most commands of one user at a time; asked anew each time, so that a reload counts */
  constructor(most: () => number) {
    this.#most = most;
  }

  /**
   * @param onWaiting called where the command has to wait
   * @throws EndpointError OperationStopped when the signal aborts first
   */
  async take(connectedUser: string, signal: AbortSignal, onWaiting?: (running: number) => void): Promise<Turn> {
    const lane = this.#lanes.get(connectedUser) ?? { known: 0, running: 0, waiting: new Set() };
    this.#lanes.set(connectedUser, lane);
    lane.known += 1;
    try {
      await this.#enter(lane, signal, onWaiting);
    } catch (error) {
      this.#forget(connectedUser, lane);
      throw error;
    }
    let state: "running" | "paused" | "ended" = "running";
    const leave = (next: "paused" | "ended"): void => {
      const before = state;
      if (before === "ended") return;
      state = next;
      if (before === "running") this.#leave(lane);
      if (next === "ended") this.#forget(connectedUser, lane);
    };
    return {
      pause: () => leave("paused"),
      resume: async (signalNow) => {
        if (state !== "paused") return;
        await this.#enter(lane, signalNow);
        state = "running";
      },
      end: () => leave("ended"),
    };
  }

  async #enter(lane: Lane, signal: AbortSignal, onWaiting?: (running: number) => void): Promise<void> {
    if (lane.running < this.#most() && lane.waiting.size === 0) {
      lane.running += 1;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const go = (): void => resolve();
    const stop = (): void => {
      lane.waiting.delete(go);
      reject(new EndpointError("OperationStopped", "Stopped."));
    };
    lane.waiting.add(go);
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    else onWaiting?.(lane.running);
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  #forget(connectedUser: string, lane: Lane): void {
    lane.known -= 1;
    if (lane.known === 0) this.#lanes.delete(connectedUser);
  }

  #leave(lane: Lane): void {
    lane.running -= 1;
    for (const go of lane.waiting) {
      if (lane.running >= this.#most()) break;
      lane.waiting.delete(go);
      lane.running += 1; // here, not when it wakes up: another one may ask in between
      go();
    }
  }
}
