import { stopped } from "../../errors.ts";
import { orStopped } from "../../or-stopped.ts";
import type { TerminalSize } from "../contract.ts";
import { KeyCard, type Reading } from "./key-card/key-card.ts";
import type { ShownKey } from "./key-card/press-card.ts";
import type { SessionModeParts } from "./session-mode.ts";
import type { TrustedPath } from "./trusted-path.ts";

export interface KeyOffersParts extends Pick<
  SessionModeParts,
  "terminal" | "keyboard" | "ending" | "endpointName" | "after" | "keyShownMs"
> {
  readonly trustedPath: TrustedPath;
  readonly size: () => TerminalSize;
  readonly isInputOver: () => boolean;
  /** Ctrl-C was typed while the terminal was taken. */
  readonly isInterrupted: () => boolean;
  /** Resolves when the session is not locked. */
  readonly unlocked: () => Promise<void>;
}

/** What one session's screen offers: keys to choose from, and the one that is shown. One command at a time. */
export class KeyOffers {
  readonly #parts: KeyOffersParts;
  #card: KeyCard | undefined;
  /** The answer whose rows wait for one to be chosen, and how many they are. */
  #choice:
    | {
        readonly id: number;
        readonly count: number;
        readonly answer: PromiseWithResolvers<number | undefined>;
      }
    | undefined;

  constructor(parts: KeyOffersParts) {
    this.#parts = parts;
  }

  /** The key that is on the screen, or was when the session ended. */
  get card(): KeyCard | undefined {
    return this.#card;
  }

  /** @returns whether it was the turn of the UI process to say so */
  take({ id, row }: { readonly id: number; readonly row: number | null }): boolean {
    if (this.#choice?.id !== id || (row ?? 0) >= this.#choice.count) return false;
    this.#choice.answer.resolve(row ?? undefined);
    this.#choice = undefined;
    return true;
  }

  /** @returns the row that was chosen; undefined: no more. Rejects with `OperationStopped` when the command is stopped */
  async chosen(id: number, count: number, signal: AbortSignal): Promise<number | undefined> {
    const answer = Promise.withResolvers<number | undefined>();
    this.#choice = { id, count, answer };
    try {
      const row = await orStopped(answer.promise, signal);
      await orStopped(this.#parts.unlocked(), signal);
      return row;
    } finally {
      this.#choice = undefined;
    }
  }

  /** Shows a key until it is hidden. Rejects with `OperationStopped` when the command is stopped. */
  async show(shown: Omit<ShownKey, "endpointName">, signal: AbortSignal): Promise<Reading> {
    const { terminal, keyboard, ending, endpointName, after, keyShownMs, size, trustedPath } = this.#parts;
    return trustedPath.hold(signal, async () => {
      if (this.#parts.isInterrupted()) throw stopped();
      const card = new KeyCard(
        { ...shown, endpointName },
        {
          terminal,
          size,
          after,
          shownSeconds: Math.ceil(keyShownMs / 1_000),
          isEnding: () => ending.signal.aborted,
        },
      );
      this.#card = card;
      keyboard.leadTo((text) => card.type(text));
      if (this.#parts.isInputOver()) card.inputEnded();
      try {
        return await card.show(signal);
      } finally {
        // At its end the session takes it off itself.
        if (!ending.signal.aborted) this.#card = undefined;
      }
    });
  }
}
