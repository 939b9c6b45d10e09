/** Rows of one result set, in the order of its columns. */
export interface RowBatch {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly unknown[])[];
}

/** How many full batches wait for the reader before the server is held back. */
const readyBatches = 2;

interface FeedControls {
  readonly batchRows: number;
  readonly pause: () => void;
  readonly resume: () => void;
}

/**
 * Turns pushed rows into batches that are pulled. Holds at most a few batches: then the server is asked to pause, and TCP
 * slows it down.
 */
export class RowFeed {
  readonly #controls: FeedControls;
  readonly #ready: RowBatch[] = [];
  #columns: readonly string[] = [];
  #open: (readonly unknown[])[] = [];
  #ended = false;
  #failure: Error | undefined;
  #failAtOnce = false;
  #wake: (() => void) | undefined;
  #paused = false;
  #arrivals = 0;
  #pulls = 0;

  constructor(controls: FeedControls) {
    this.#controls = controls;
  }

  /** Grows with every row or result set that came; the same number twice means that the server did nothing between. */
  get arrivals(): number {
    return this.#arrivals;
  }

  /** Grows with every batch asked for. */
  get pulls(): number {
    return this.#pulls;
  }

  /** Is it the reader's turn? Then there are batches that nobody took. */
  get waitsForReader(): boolean {
    return this.#ready.length > 0;
  }

  columns(names: readonly string[]): void {
    this.#arrivals += 1;
    this.#closeBatch();
    this.#columns = names;
  }

  row(values: readonly unknown[]): void {
    this.#arrivals += 1;
    this.#open.push(values);
    if (this.#open.length < this.#controls.batchRows) return;
    this.#closeBatch();
    if (this.#ready.length >= readyBatches && !this.#paused) {
      this.#paused = true;
      this.#controls.pause();
    }
    this.#notify();
  }

  /** @param failure thrown to the reader; without one the result is complete */
  end(failure?: Error, options: { readonly afterReadyRows: boolean } = { afterReadyRows: false }): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#failAtOnce = failure !== undefined && !options.afterReadyRows;
    // A batch that is not full when something went wrong is not handed out as if it were an answer.
    if (failure === undefined) this.#closeBatch();
    else this.#open = [];
    if (this.#failAtOnce) this.#ready.length = 0;
    this.#notify();
  }

  /** The next batch; undefined at the end of a complete result. */
  async next(): Promise<RowBatch | undefined> {
    this.#pulls += 1;
    for (;;) {
      if (this.#failAtOnce && this.#failure !== undefined) throw this.#failure;
      const batch = this.#ready.shift();
      if (batch !== undefined) {
        if (this.#paused && this.#ready.length === 0 && !this.#ended) {
          this.#paused = false;
          this.#controls.resume();
        }
        return batch;
      }
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ended) return undefined;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }

  #closeBatch(): void {
    if (this.#open.length === 0) return;
    this.#ready.push({ columns: this.#columns, rows: this.#open });
    this.#open = [];
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
