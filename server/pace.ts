/** A rate with a burst (a token bucket): so many at once, then so many a second. */
export class Pace {
  readonly #atOnce: number;
  readonly #aSecond: number;
  readonly #nowMs: () => number;
  #left: number;
  #filledAtMs: number;

  /** @param nowMs a monotonic clock */
  constructor(atOnce: number, aSecond: number, nowMs: () => number) {
    this.#atOnce = atOnce;
    this.#aSecond = aSecond;
    this.#nowMs = nowMs;
    this.#left = atOnce;
    this.#filledAtMs = nowMs();
  }

  /** Counts one more. @returns in how many milliseconds it is due */
  take(): number {
    this.#fill();
    this.#left -= 1;
    return this.#owedMs();
  }

  /** What was counted did not happen. */
  giveBack(): void {
    this.#left += 1;
  }

  /** How long to wait until no more was counted than the rate allows. */
  aheadMs(): number {
    this.#fill();
    return this.#owedMs();
  }

  /** Nothing is owed: as if nothing had ever been counted. */
  isFull(): boolean {
    this.#fill();
    return this.#left >= this.#atOnce;
  }

  #fill(): void {
    const nowMs = this.#nowMs();
    this.#left = Math.min(this.#atOnce, this.#left + ((nowMs - this.#filledAtMs) * this.#aSecond) / 1000);
    this.#filledAtMs = nowMs;
  }

  #owedMs(): number {
    return Math.max(0, (-this.#left * 1000) / this.#aSecond);
  }
}
