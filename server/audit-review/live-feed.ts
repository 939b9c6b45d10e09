/** What became durable, as a number only: whoever follows reads the lines from the log, so a reader that is stuck costs nothing. */
export class LiveFeed {
  #lastSeq = 0;
  #ended = false;
  readonly #waiting = new Set<() => void>();

  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** For the record's `onDurable`. Never throws: it is called in the middle of an append. */
  take(lastSeq: number): void {
    this.#lastSeq = lastSeq;
    this.#wake();
  }

  /** Whoever follows has seen the last of it: the server is stopped. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** @returns false when nothing more will come */
  async waitBeyond(seq: number, signal: AbortSignal): Promise<boolean> {
    while (this.#lastSeq <= seq) {
      if (this.#ended || signal.aborted) return false;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      const wake = (): void => resolve();
      signal.addEventListener("abort", wake);
      await promise;
      signal.removeEventListener("abort", wake);
      this.#waiting.delete(resolve);
    }
    return true;
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
  }
}
