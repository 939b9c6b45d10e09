const blockBytes = 16 * 1024;

/**
 * A channel's input between the network and the session. Holds at most what the receive window granted, in dense blocks:
 * a client that sends its window a byte at a time would else cost a Buffer object for each byte.
 */
export class InputBuffer implements AsyncIterable<Uint8Array> {
  readonly #onTaken: (bytes: number) => void;
  readonly #blocks: Buffer[] = [];
  /** Bytes used in the last block. */
  #lastUsed = 0;
  #ended = false;
  #iterated = false;
  #wake: (() => void) | undefined;

  /** @param onTaken the session took this many bytes, so the client may send as many more */
  constructor(onTaken: (bytes: number) => void) {
    this.#onTaken = onTaken;
  }

  push(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      let last = this.#blocks.at(-1);
      if (last === undefined || this.#lastUsed === last.length) {
        last = Buffer.allocUnsafe(blockBytes);
        this.#blocks.push(last);
        this.#lastUsed = 0;
      }
      const copied = bytes.copy(last, this.#lastUsed, at);
      this.#lastUsed += copied;
      at += copied;
    }
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  #take(): Buffer | undefined {
    const block = this.#blocks.shift();
    return this.#blocks.length === 0 ? block?.subarray(0, this.#lastUsed) : block;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    if (this.#iterated) throw new Error("a channel's input can be read once");
    this.#iterated = true;
    return {
      next: async () => {
        for (;;) {
          const block = this.#take();
          if (block !== undefined) {
            this.#onTaken(block.length);
            return { done: false, value: block };
          }
          if (this.#ended) return { done: true, value: undefined };
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
          this.#wake = undefined;
        }
      },
      // A reader that stops leaves the channel open: its output may go on.
      return: () => Promise.resolve({ done: true, value: undefined }),
    };
  }
}
