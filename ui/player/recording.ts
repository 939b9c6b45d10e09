/** Where the transcript's bytes come from. */
export interface CastSource {
  readonly sizeBytes: number;
  /** Bytes from there on, at least one. */
  fetch(from: number): Promise<Uint8Array>;
}

const piecesKept = 8;

/** The bytes of a transcript, asked for one piece at a time; the last few are kept. */
export class Recording {
  readonly #source: CastSource;
  /** By their first byte, the one used last at the end. */
  readonly #pieces = new Map<number, Uint8Array>();
  #asking: Promise<unknown> = Promise.resolve();

  constructor(source: CastSource) {
    this.#source = source;
  }

  get sizeBytes(): number {
    return this.#source.sizeBytes;
  }

  /** What is there from a byte on: more than none, unless it is the end. */
  read(from: number): Promise<Uint8Array> {
    if (from >= this.sizeBytes) return Promise.resolve(new Uint8Array());
    const next = this.#asking.then(() => this.#take(from));
    this.#asking = next.catch(() => undefined); // whoever asked gets the rejection
    return next;
  }

  async #take(from: number): Promise<Uint8Array> {
    for (const [start, piece] of this.#pieces) {
      if (from < start || from >= start + piece.length) continue;
      this.#pieces.delete(start);
      this.#pieces.set(start, piece);
      return piece.subarray(from - start);
    }
    const piece = await this.#source.fetch(from);
    this.#pieces.set(from, piece);
    for (const [oldest] of this.#pieces) if (this.#pieces.size > piecesKept) this.#pieces.delete(oldest);
    return piece;
  }
}
