/** The number of the newest durable line. Followers read the lines from the log, so a stuck reader costs nothing. */
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

  /** The server is stopping, so a follower gets no more lines. */
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
