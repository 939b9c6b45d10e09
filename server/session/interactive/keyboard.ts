/** Takes a piece of what the user typed; the next one comes when it resolves. */
export type TypedTextSink = (text: string) => Promise<void> | void;

/**
 * What the user types, led to one place at a time: to the UI process, or to the server's own prompt.
 * Reads no further while its sink is busy, so a client that floods fills its own SSH window.
 */
export class Keyboard {
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  readonly #onInput: () => void;
  #sink: TypedTextSink = () => undefined;
  #switched = Promise.withResolvers<void>();

  /** @param onInput called for each piece: the user is there */
  constructor(onInput: () => void) {
    this.#onInput = onInput;
  }

  /** From now on this one gets what is typed. A sink that still holds an earlier piece is not waited for. */
  leadTo(sink: TypedTextSink): void {
    this.#sink = sink;
    this.#switched.resolve();
    this.#switched = Promise.withResolvers();
  }

  /** Drops what is typed until nothing came for so long: the rest of a paste, that came in pieces. */
  async untilQuiet(quietMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, quietMs);
    this.leadTo(() => {
      timer.refresh();
    });
    await promise;
  }

  /** Reads until the input ends or `until` aborts. Rejects when a sink does. */
  async run(input: AsyncIterable<Uint8Array>, until: AbortSignal): Promise<void> {
    for await (const chunk of input) {
      if (until.aborted) return;
      this.#onInput();
      const text = this.#decoder.decode(chunk, { stream: true });
      if (text !== "") await Promise.race([this.#sink(text), this.#switched.promise]);
    }
  }
}
