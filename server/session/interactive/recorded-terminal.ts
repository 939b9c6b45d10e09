import type { Transcript } from "../../audit/contract.ts";
import { EndpointError } from "../../errors.ts";
import type { SessionChannel, TerminalSize } from "../contract.ts";

const encoder = new TextEncoder();

/**
 * The user's terminal and the transcript as one thing: whatever is shown was written to the transcript before, in the
 * same order. The first failure ends it: after that nothing is recorded and nothing is shown.
 */
export class RecordedTerminal {
  readonly #transcript: Transcript;
  readonly #channel: SessionChannel;
  readonly #onFailure: (error: unknown) => void;
  #last: Promise<void> = Promise.resolve();
  #failed = false;
  readonly #abandoned = Promise.withResolvers<never>();

  /** @param onFailure called once, with an EndpointError: `AuditUnavailable`, or `OperationStopped` for a closed channel */
  constructor(transcript: Transcript, channel: SessionChannel, onFailure: (error: unknown) => void) {
    this.#transcript = transcript;
    this.#channel = channel;
    this.#onFailure = onFailure;
    this.#abandoned.promise.catch(() => undefined); // whoever waits for the client gets it too
  }

  /**
   * Shows a text once it is recorded. Resolves when the next one is welcome.
   *
   * @param recorded what the transcript gets instead: glyphs masked, nothing typed into a prompt
   */
  write(shown: string, recorded = shown): Promise<void> {
    return this.#next(async () => {
      if (recorded !== "") await this.#transcript.output(recorded);
      if (shown !== "") await this.#send(shown);
    });
  }

  /** As `write`, for who doesn't wait; a failure still reaches `onFailure`. */
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

  async #send(text: string): Promise<void> {
    await Promise.race([this.#channel.write(encoder.encode(text)), this.#abandoned.promise]);
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
