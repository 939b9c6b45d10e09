import type { Transcript } from "../../audit/contract.ts";
import { EndpointError } from "../../errors.ts";
import type { SessionChannel, TerminalSize } from "../contract.ts";

const encoder = new TextEncoder();

/** Where text is recorded, then shown. */
export interface RecordedText {
  /**
   * Shows a text once it is recorded. Resolves when the next one is welcome.
   *
   * @param recorded what the transcript gets instead: glyphs masked, nothing typed into a prompt
   */
  write(shown: string, recorded?: string): Promise<void>;
  /** As `write`, for who doesn't wait; a failure still reaches `onFailure`. */
  post(shown: string, recorded?: string): void;
}

/**
 * The user's terminal and the transcript as one thing: whatever is shown was written to the transcript before, in the
 * same order. The first failure ends it: after that nothing is recorded and nothing is shown.
 */
export class RecordedTerminal implements RecordedText {
  readonly #transcript: Transcript;
  readonly #channel: SessionChannel;
  readonly #onFailure: (error: unknown) => void;
  #last: Promise<void> = Promise.resolve();
  #failed = false;
  readonly #abandoned = Promise.withResolvers<never>();
  /** What is no answer: prompts, errors. A script's standard output has answers only; a terminal shows all in one place. */
  readonly aside: RecordedText;

  /** @param onFailure called once, with an EndpointError: `AuditUnavailable`, or `OperationStopped` for a closed channel */
  constructor(
    transcript: Transcript,
    channel: SessionChannel,
    { hasTerminal, onFailure }: { readonly hasTerminal: boolean; readonly onFailure: (error: unknown) => void },
  ) {
    this.#transcript = transcript;
    this.#channel = channel;
    this.#onFailure = onFailure;
    const write = (shown: string, recorded = shown): Promise<void> => this.#show(shown, recorded, "error");
    this.aside = hasTerminal ? this : { write, post: (...texts) => void write(...texts).catch(() => undefined) };
    this.#abandoned.promise.catch(() => undefined); // whoever waits for the client gets it too
  }

  write(shown: string, recorded = shown): Promise<void> {
    return this.#show(shown, recorded, "output");
  }

  post(shown: string, recorded = shown): void {
    this.write(shown, recorded).catch(() => undefined);
  }

  resized({ columns, rows }: TerminalSize): Promise<void> {
    return this.#next(() => this.#transcript.resize(columns, rows));
  }

  marker(label: string): Promise<void> {
    return this.#next(() => this.#transcript.marker(label));
  }

  /** The one sentence that no transcript can take: that it can't. */
  async writeUnrecorded(text: string): Promise<void> {
    await this.#last;
    await this.#send(text);
  }

  /** Waits no longer for a client that doesn't read. */
  abandon(): void {
    this.#abandoned.reject(new EndpointError("OperationStopped", "The client does not read."));
  }

  #show(shown: string, recorded: string, where: "output" | "error"): Promise<void> {
    return this.#next(async () => {
      if (recorded !== "") await this.#transcript.output(recorded);
      if (shown !== "") await this.#send(shown, where);
    });
  }

  async #send(text: string, where: "output" | "error" = "output"): Promise<void> {
    const bytes = encoder.encode(text);
    const sent = where === "output" ? this.#channel.write(bytes) : this.#channel.writeError(bytes);
    await Promise.race([sent, this.#abandoned.promise]);
  }

  #next(step: () => Promise<void>): Promise<void> {
    const done = this.#take(this.#last, step);
    this.#last = done.catch(() => undefined); // each caller gets the rejection through its own promise
    return done;
  }

  async #take(before: Promise<void>, step: () => Promise<void>): Promise<void> {
    await before;
    if (this.#failed) return;
    try {
      await step();
    } catch (error) {
      this.#failed = true;
      this.#onFailure(error);
      throw error;
    }
  }
}
