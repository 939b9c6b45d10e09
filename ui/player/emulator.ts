/* oxlint-disable no-underscore-dangle -- what a keyframe needs has such names in the emulator; see `Internals` */
import type { Terminal } from "@xterm/headless";
import type { Line, Tone } from "../text/tones.ts";
import { span } from "../text/tones.ts";

export interface ScreenSize {
  readonly columns: number;
  readonly rows: number;
}

interface Copyable<T> {
  clone(): T;
}
interface BufferLine extends Copyable<BufferLine> {
  readonly length: number;
}
type Attributes = Copyable<Attributes>;

/**
 * What a keyframe needs and the emulator's public interface doesn't give. The serializer addon was tried first: by its source (0.14.0)
 * it loses dim beside bold, underline styles, the saved cursor and a wrap that is still to come, so a screen would differ by the
 * way one got there. The version is pinned, and test/ui/player/seek.test.ts compares every one of these with plain playing.
 */
interface Internals {
  readonly buffer: {
    readonly lines: { get(index: number): BufferLine | undefined; set(index: number, line: BufferLine): void };
    x: number;
    y: number;
    savedX: number;
    savedY: number;
    savedCurAttrData: Attributes;
  };
  readonly coreService: { isCursorHidden: boolean };
  readonly _inputHandler: { _curAttrData: Attributes; readonly _parser: { precedingJoinState: number } };
}

/** A whole screen, kept. */
export interface ScreenCopy {
  readonly size: ScreenSize;
  readonly bytes: number;
  readonly lines: readonly BufferLine[];
  readonly cursor: { readonly x: number; readonly y: number; readonly hidden: boolean };
  readonly saved: { readonly x: number; readonly y: number; readonly attributes: Attributes };
  readonly attributes: Attributes;
  readonly joinState: number;
}

/** What a person sees of the recorded screen. */
export interface ScreenView {
  readonly size: ScreenSize;
  readonly lines: readonly Line[];
  readonly cursor: { readonly x: number; readonly y: number } | undefined;
}

/** xterm draws nothing in less than two columns. */
const leastColumns = 2;
const bytesPerCell = 12;
const lookMark = 7_411;

/** A cell's look in the tones that this UI itself paints with: a recorded screen has no others but the server's own prompts. */
const toneOf = (
  cell: NonNullable<ReturnType<NonNullable<ReturnType<Terminal["buffer"]["active"]["getLine"]>>["getCell"]>>,
): Tone => {
  if (cell.isUnderline() || cell.isInverse()) return "chosen";
  if (cell.isFgPalette()) {
    const color = cell.getFgColor() % 8;
    if (color === 1) return "error";
    if (color === 2) return "prompt";
    if (color === 3) return "warning";
    if (color === 6) return "name";
  }
  if (cell.isBold()) return "key";
  return cell.isDim() ? "quiet" : "plain";
};

/** The recorded terminal. Takes what recorded-output.ts lets pass. */
export class Emulator {
  readonly #terminal: Terminal;
  readonly #internals: Internals;
  #onLook: (() => void) | undefined;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    // The public interface hides it; see there.
    this.#internals = (terminal as unknown as { readonly _core: Internals })._core;
    terminal.parser.registerOscHandler(lookMark, () => {
      this.#onLook?.();
      return true;
    });
  }

  get size(): ScreenSize {
    return { columns: this.#terminal.cols, rows: this.#terminal.rows };
  }

  resize({ columns, rows }: ScreenSize): void {
    this.#terminal.resize(Math.max(leastColumns, columns), rows);
  }

  /** Resolves when it is on the screen. */
  write(text: string): Promise<void> {
    return text === "" ? Promise.resolve() : new Promise((resolve) => this.#terminal.write(text, resolve));
  }

  /** Writes texts, and looks at the screen after each: a write of its own for each would take a turn of the event loop. */
  async writeLooking(texts: readonly string[], look: (index: number) => void): Promise<void> {
    let index = 0;
    this.#onLook = () => look(index++);
    // An operating system command that no terminal knows, and that recorded output can't hold.
    await this.write(texts.map((text) => `${text}\u001b]${lookMark};\u0007`).join(""));
    this.#onLook = undefined;
  }

  copy(): ScreenCopy {
    const { buffer, coreService, _inputHandler } = this.#internals;
    const { columns, rows } = this.size;
    return {
      size: { columns, rows },
      bytes: columns * rows * bytesPerCell,
      lines: this.#lines().map((line) => line.clone()),
      cursor: { x: buffer.x, y: buffer.y, hidden: coreService.isCursorHidden },
      saved: { x: buffer.savedX, y: buffer.savedY, attributes: buffer.savedCurAttrData.clone() },
      attributes: _inputHandler._curAttrData.clone(),
      joinState: _inputHandler._parser.precedingJoinState,
    };
  }

  restore(copy: ScreenCopy): void {
    this.#terminal.resize(copy.size.columns, copy.size.rows);
    const { buffer, coreService, _inputHandler } = this.#internals;
    for (const [index, line] of copy.lines.entries()) buffer.lines.set(index, line.clone());
    buffer.x = copy.cursor.x;
    buffer.y = copy.cursor.y;
    coreService.isCursorHidden = copy.cursor.hidden;
    buffer.savedX = copy.saved.x;
    buffer.savedY = copy.saved.y;
    buffer.savedCurAttrData = copy.saved.attributes.clone();
    _inputHandler._curAttrData = copy.attributes.clone();
    _inputHandler._parser.precedingJoinState = copy.joinState;
  }

  /** The screen's text, a line for each of its lines; one that the terminal itself wrapped is whole. */
  text(): string {
    const { active } = this.#terminal.buffer;
    let text = "";
    for (let row = 0; row < this.#terminal.rows; row += 1) {
      const line = active.getLine(row);
      const goesOn = active.getLine(row + 1)?.isWrapped === true;
      text += (line?.translateToString(!goesOn) ?? "") + (goesOn ? "" : "\n");
    }
    return text;
  }

  view(): ScreenView {
    const { columns, rows } = this.size;
    const { active } = this.#terminal.buffer;
    const lines = Array.from({ length: rows }, (_, row): Line => {
      const line = active.getLine(row);
      const spans: { text: string; tone: Tone }[] = [];
      for (let column = 0; column < columns; column += 1) {
        const cell = line?.getCell(column);
        // The second half of a wide character.
        if (cell === undefined || cell.getWidth() === 0) continue;
        const tone = toneOf(cell);
        const last = spans.at(-1);
        const text = cell.getChars() || " ";
        if (last?.tone === tone) last.text += text;
        else spans.push({ text, tone });
      }
      return spans.map(({ text, tone }) => span(text, tone));
    });
    const { buffer, coreService } = this.#internals;
    return {
      size: { columns, rows },
      lines,
      cursor: coreService.isCursorHidden ? undefined : { x: buffer.x, y: buffer.y },
    };
  }

  #lines(): BufferLine[] {
    return Array.from({ length: this.#terminal.rows }, (_, row) => {
      const line = this.#internals.buffer.lines.get(row);
      if (line === undefined) throw new Error("the emulator has no such line");
      return line;
    });
  }
}

/**
 * Loaded when a transcript is first watched: it is a third of the program, and most sessions watch none.
 */
export const createEmulator = async (): Promise<Emulator> => {
  const { default: xterm } = await import("@xterm/headless");
  return new Emulator(
    new xterm.Terminal({ cols: 80, rows: 24, scrollback: 0, allowProposedApi: true, logLevel: "off" }),
  );
};
