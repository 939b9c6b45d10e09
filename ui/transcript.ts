import type { KeyEvent } from "./input/key-decoder.ts";
import type { Live, Size } from "./layout/live.ts";
import { PlayerScreen } from "./player/player-screen.ts";
import type { FromUi, ToUi } from "./protocol.ts";
import type { Clock } from "./clock.ts";
import { printable } from "./text/printable.ts";

export interface TranscriptParts {
  readonly send: (message: FromUi) => void;
  readonly clock: Clock;
  /** Something is to be painted anew. */
  readonly onChange: () => void;
}

/** An answer that is a transcript: the player, fed with the pieces that it asks the server for. */
export class Transcript {
  readonly #id: number;
  readonly #screen: PlayerScreen;
  #asked: { readonly from: number; readonly answer: PromiseWithResolvers<Uint8Array> } | undefined;

  constructor({ id, sessionId, bytes }: ToUi & { readonly type: "transcript" }, parts: TranscriptParts) {
    this.#id = id;
    let isOver = false;
    const fetch = (from: number): Promise<Uint8Array> => {
      const answer = Promise.withResolvers<Uint8Array>();
      // After `watched` the server counts anything more as a breach; nobody waits for it either.
      if (!isOver) {
        this.#asked = { from, answer };
        parts.send({ type: "fetch", id, from });
      }
      return answer.promise;
    };
    const player = { source: { sizeBytes: bytes, fetch }, clock: parts.clock, onChange: parts.onChange };
    this.#screen = new PlayerScreen(printable(sessionId), player, () => {
      isOver = true;
      parts.send({ type: "watched", id });
    });
  }

  receive({ id, from, base64 }: ToUi & { readonly type: "piece" }): void {
    const asked = this.#asked;
    if (id !== this.#id || asked?.from !== from) return;
    this.#asked = undefined;
    asked.answer.resolve(Uint8Array.fromBase64(base64));
  }

  press(event: KeyEvent): void {
    this.#screen.press(event);
  }

  view(size: Size): Live {
    return this.#screen.view(size);
  }

  pause(): void {
    this.#screen.pause();
  }

  /** @returns what stays of it on the screen */
  close(): string {
    return this.#screen.close();
  }
}
