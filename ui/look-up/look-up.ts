import { canonicalSearchPiece } from "../../server/model/search-piece.ts";
import type { Clock } from "../clock.ts";
import type { KeyEvent } from "../input/key-decoder.ts";
import { lookUpRights } from "../language/hint.ts";
import { findCommand } from "../language/place.ts";
import type { Live, Size } from "../layout/live.ts";
import type { FromUi, ToUi, UiCommand, UiLookUp } from "../protocol.ts";
import { findIn } from "./found.ts";
import { type LookUpEffect, type LookUpState, openLookUp, pressLookUp, receiveCandidates } from "./press-look-up.ts";
import { viewLookUp } from "./view-look-up.ts";

/** Who types on asks nothing yet. */
const restMs = 80;
/** An answer that comes sooner needs no word about the wait: it would only flicker. */
const quietMs = 250;

export interface LookUpParts {
  readonly send: (message: FromUi) => void;
  readonly clock: Clock;
  /** Something is to be painted anew. */
  readonly onChange: () => void;
  readonly commands: () => readonly UiCommand[];
  /** A key was chosen: the line that shows it is to be run. `fromPrompt`: what stands at the prompt led to it, and is done with. */
  readonly onLine: (line: string, fromPrompt: boolean) => void;
}

/** A line of one word that is no command's name: what somebody meant to look up, and typed at the prompt. */
const pieceOfLine = (line: string, commands: readonly UiCommand[]): string => {
  const piece = canonicalSearchPiece(line);
  return piece === undefined || findCommand(commands, piece) !== undefined ? "" : piece;
};

/** The look-up while it is open: its state, and the time that passes in it. Between two openings it keeps the last reason alone. */
export class LookUp {
  readonly #parts: LookUpParts;
  #state: LookUpState | undefined;
  #lastReason: string | undefined;
  #fromPrompt = false;
  #rest: { cancel(): void } | undefined;
  #wait: { cancel(): void } | undefined;

  constructor(parts: LookUpParts) {
    this.#parts = parts;
  }

  /**
   * @param line at the prompt: a piece is taken from there
   * @returns false where the user may not look keys up
   */
  open(line: string): boolean {
    const commands = this.#parts.commands();
    const rights = lookUpRights(commands);
    if (rights === undefined) return false;
    const piece = pieceOfLine(line, commands);
    this.#fromPrompt = piece !== "";
    this.#state = openLookUp(piece, this.#lastReason);
    this.#ask(rights);
    return true;
  }

  close(): void {
    this.#rest?.cancel();
    this.#wait?.cancel();
    this.#state = undefined;
  }

  /** @returns false where it is not open: the key is not for it */
  press(event: KeyEvent): boolean {
    const rights = lookUpRights(this.#parts.commands());
    if (rights === undefined) this.close();
    if (this.#state === undefined || rights === undefined) return false;
    const { state, effect } = pressLookUp(this.#state, event, rights);
    this.#state = state;
    if (effect !== undefined) this.#act(effect, state, rights);
    return true;
  }

  #act(effect: LookUpEffect, { lastReason }: LookUpState, rights: UiLookUp): void {
    switch (effect.type) {
      case "changed":
        this.#rest?.cancel();
        this.#rest = this.#parts.clock.after(restMs, () => this.#ask(rights));
        return;
      case "ask":
        this.#ask(rights, true);
        return;
      case "submit":
        this.#lastReason = lastReason;
        this.close();
        this.#parts.onLine(effect.line, this.#fromPrompt);
        return;
      case "close":
        this.close();
        return;
      default:
        effect satisfies never;
    }
  }

  receive(answer: ToUi & { readonly type: "candidates" }): void {
    if (this.#state === undefined) return;
    const received = receiveCandidates(this.#state, answer);
    if (received.asked === undefined) this.#wait?.cancel();
    this.#state = received;
  }

  view(size: Size): Live | undefined {
    const rights = lookUpRights(this.#parts.commands());
    return this.#state === undefined || rights === undefined ? undefined : viewLookUp(this.#state, rights, size);
  }

  /** @param again also what was answered already */
  #ask(rights: UiLookUp, again = false): void {
    const state = this.#state;
    if (state === undefined) return;
    this.#rest?.cancel();
    const { question } = findIn(state.answers, state.piece, rights);
    const piece = again ? canonicalSearchPiece(state.piece) : question;
    if (piece === undefined || piece === state.asked) return;
    this.#state = { ...state, asked: piece, isSlow: false };
    this.#parts.send({ type: "look-up", piece });
    this.#wait?.cancel();
    this.#wait = this.#parts.clock.after(quietMs, () => {
      if (this.#state === undefined) return;
      this.#state = { ...this.#state, isSlow: true };
      this.#parts.onChange();
    });
  }
}
