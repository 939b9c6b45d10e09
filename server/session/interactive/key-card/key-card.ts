import { orStopped } from "../../../or-stopped.ts";
import type { TerminalSize } from "../../contract.ts";
import type { RecordedText } from "../recorded-terminal.ts";
import { trustedMark } from "../screen-text.ts";
import type { After } from "../session-clock.ts";
import { type CardState, groupCount, layCard, withoutDigits } from "./lay-card.ts";
import { createCardKeys, newCard, pressCard, type ShownKey } from "./press-card.ts";

/** What became of a key that was shown. */
export type Reading = "shown" | "read back";

export interface KeyCardParts {
  readonly terminal: RecordedText;
  readonly size: () => TerminalSize;
  readonly after: After;
  /** How long the key stays after the last key press, in seconds. */
  readonly shownSeconds: number;
  /** The session is at its end: who says good-bye takes the card off the screen too (`wiping`). */
  readonly isEnding: () => boolean;
}

/** The alternate screen: what is on it comes into no scrollback (xterm, Ctlseqs, DECSET 1049). */
const opening = "\u001b[?1049h\u001b[0m\u001b[?25l\u001b[H\u001b[2J";
/** One frame is painted in one go, where the terminal can (synchronised output). */
const frame = (text: string): string => `\u001b[?2026h${text}\u001b[?2026l`;
const at = (row: number): string => `\u001b[${row + 1};1H`;
/** Between repaints of the countdown, until it counts each second. */
const countsBy = 5;
const countsEachFrom = 10;

/** The title stands in reverse video: no UI process can paint that (see `terminal-sequence.ts`). */
const styled = (line: string): string => (line.startsWith(` ${trustedMark} `) ? `\u001b[7m${line}\u001b[27m` : line);

/**
 * One recovery key on a screen of its own, painted by the server: the UI process neither sees it nor what is read back.
 * It goes at a key, when its time is over, or when its session does. Its cells are overwritten before the screen is left.
 */
export class KeyCard {
  readonly #parts: KeyCardParts;
  #state: CardState;
  readonly #keys = createCardKeys();
  readonly #hidden = Promise.withResolvers<void>();
  #painted: readonly string[] = [];
  #size: TerminalSize;
  #isShown = false;

  constructor(shown: ShownKey, parts: KeyCardParts) {
    this.#parts = parts;
    this.#state = newCard(shown, parts.shownSeconds);
    this.#size = parts.size();
  }

  /**
   * Shows the card until it is to go. Rejects with `OperationStopped` when the signal aborts; the card is off the screen then, too.
   *
   * @returns whether the whole key was read back right
   */
  async show(signal: AbortSignal): Promise<Reading> {
    const tick = this.#parts.after(1_000, () => this.#tick(() => tick.refresh()));
    try {
      this.#isShown = true;
      await this.#parts.terminal.write(...this.#frame(opening));
      await orStopped(this.#hidden.promise, signal);
      return this.#state.readBack.right === groupCount ? "read back" : "shown";
    } finally {
      tick.stop();
      if (!this.#parts.isEnding()) await this.#hide();
    }
  }

  /** Typed while the card is shown. */
  type(text: string): void {
    for (const key of this.#keys(text)) {
      const next = key === "escape" ? "hide" : pressCard(this.#state, key);
      if (next === "hide") {
        this.#hidden.resolve();
        return;
      }
      this.#state = next;
    }
    // An arrow key keeps the key too: who presses one is there.
    this.#state = { ...this.#state, secondsLeft: this.#parts.shownSeconds };
    this.#paint();
  }

  resized(): void {
    this.#painted = [];
    this.#paint("\u001b[H\u001b[2J");
  }

  /** Says something on the card's last line. */
  notice(text: string): void {
    this.#state = { ...this.#state, notice: text };
    this.#paint();
  }

  /** Nobody will press a key any more. */
  inputEnded(): void {
    this.#hidden.resolve();
  }

  /** What takes the card off the screen: blanks first, as a terminal may keep what it only erases. */
  wiping(): string {
    if (!this.#isShown) return "";
    return frame(`${this.#blanks()}\u001b[H\u001b[2J\u001b[?25h\u001b[?1049l`);
  }

  #blanks(): string {
    const { columns, rows } = this.#size;
    return Array.from({ length: rows }, (_, row) => `${at(row)}${" ".repeat(Math.max(0, columns - 1))}`).join("");
  }

  async #hide(): Promise<void> {
    await this.#parts.terminal.write(this.wiping());
    this.#isShown = false;
  }

  #tick(again: () => void): void {
    const secondsLeft = this.#state.secondsLeft - 1;
    this.#state = { ...this.#state, secondsLeft };
    if (this.#state.isOver) return;
    if (secondsLeft <= 0) {
      this.#state = { ...withoutDigits(this.#state), isOver: true };
      this.#painted = [];
      this.#paint(`${this.#blanks()}\u001b[H\u001b[2J`);
      return;
    }
    if (secondsLeft <= countsEachFrom || secondsLeft % countsBy === 0) this.#paint();
    again();
  }

  #paint(before = ""): void {
    if (!this.#isShown) return;
    const [shown, recorded] = this.#frame(before);
    if (shown !== "") this.#parts.terminal.post(shown, recorded);
  }

  /** The lines that changed, as they are shown and as they are recorded. */
  #frame(before: string): readonly [shown: string, recorded: string] {
    this.#size = this.#parts.size();
    const lines = layCard(this.#state, this.#size);
    const masked = layCard(withoutDigits(this.#state), this.#size);
    const most = Math.max(lines.length, this.#painted.length);
    const rows = Array.from({ length: most }, (_, row) => row).filter(
      (row) => (lines[row] ?? "") !== (this.#painted[row] ?? ""),
    );
    this.#painted = lines;
    const text = (from: readonly string[]): string =>
      rows.map((row) => `${at(row)}${styled(from[row] ?? "")}\u001b[K`).join("");
    if (before === "" && rows.length === 0) return ["", ""];
    return [frame(before + text(lines)), frame(before + text(masked))];
  }
}
