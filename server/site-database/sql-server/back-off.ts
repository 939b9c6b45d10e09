export interface BackOffOptions {
  readonly firstMs: number;
  readonly longestMs: number;
}

interface Clock {
  readonly now: () => number;
  /** 0 to 1. */
  readonly random: () => number;
}

/**
 * The circuit: after a failed attempt no other is made for a while, and everybody is told at once. The while doubles, with
 * jitter, so that several endpoints don't come back to a restarted server in step.
 *
 * Tried again when someone asks, not by a timer: attempts nobody waits for would lock the login of an endpoint whose
 * password is wrong.
 */
export class Circuit {
  readonly #options: BackOffOptions;
  readonly #clock: Clock;
  #failures = 0;
  #retryAt = 0;
  #lastFailure: unknown;
  #probing = false;

  constructor(options: BackOffOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /** Why nobody should try now; undefined when an attempt is welcome. */
  get closedBy(): { readonly failure: unknown } | undefined {
    if (this.#failures === 0) return undefined;
    return this.#probing || this.#clock.now() < this.#retryAt ? { failure: this.#lastFailure } : undefined;
  }

  /** Makes one attempt and keeps count of how it ended. */
  async attempt<T>(connect: () => Promise<T>): Promise<T> {
    const isProbe = this.#failures > 0;
    this.#probing ||= isProbe;
    const failuresBefore = this.#failures;
    try {
      const connected = await connect();
      this.#failures = 0;
      return connected;
    } catch (error) {
      // Attempts that began together count once: they met one and the same outage.
      if (this.#failures === failuresBefore) this.#failed(error);
      throw error;
    } finally {
      if (isProbe) this.#probing = false;
    }
  }

  #failed(error: unknown): void {
    const { firstMs, longestMs } = this.#options;
    const waitMs = Math.min(longestMs, firstMs * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    this.#lastFailure = error;
    this.#retryAt = this.#clock.now() + waitMs * (0.5 + this.#clock.random() / 2);
  }
}
