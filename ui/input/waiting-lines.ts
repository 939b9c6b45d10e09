/** Pasted lines kept at a time; more are dropped, with a word about it. */
export const mostWaiting = 200;
/** Longer than any line of a terminal's paste that means something. */
const longestLine = 8192;

/**
 * Lines that were pasted and wait until the person presses Enter for each: a pasted line end runs nothing. The first line is in the
 * editor, with what was typed; here are those behind it.
 */
export class WaitingLines {
  readonly #lines: string[] = [];
  /** The next pasted text begins a line. */
  #ended = false;
  #dropped = false;

  get count(): number {
    return this.#lines.length;
  }

  /** Some didn't fit; told once. */
  takeDropped(): boolean {
    const dropped = this.#dropped;
    this.#dropped = false;
    return dropped;
  }

  /** @returns whether it was taken; if not, it belongs to the line in the editor */
  paste(text: string): boolean {
    if (!this.#ended && this.#lines.length === 0) return false;
    if (this.#ended && this.#lines.length >= mostWaiting) this.#dropped = true;
    else if (this.#ended) this.#lines.push(text.slice(0, longestLine));
    else this.#lines.push(`${this.#lines.pop() ?? ""}${text}`.slice(0, longestLine));
    this.#ended = false;
    return true;
  }

  /** A pasted line's end. One before any text ends nothing. */
  endLine(hasText: boolean): void {
    this.#ended = hasText || this.#lines.length > 0;
  }

  /** The paste is over: what is pasted next is a line of its own, or goes on where the cursor is. */
  endPaste(): void {
    this.#ended = this.#lines.length > 0;
  }

  shift(): string | undefined {
    return this.#lines.shift();
  }

  clear(): void {
    this.#lines.length = 0;
    this.#ended = false;
  }
}
