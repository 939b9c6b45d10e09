import { castStart, type CastEvent, type CastPlace, decodeCast } from "./decode-cast.ts";
import type { Emulator, ScreenCopy } from "./emulator.ts";
import { filterOutput, type OutputState, outputStart } from "./recorded-output.ts";
import type { Recording } from "./recording.ts";

/** Everything that playing on from a moment needs. */
export interface Keyframe {
  readonly timeMs: number;
  readonly place: CastPlace;
  readonly output: OutputState;
  readonly screen: ScreenCopy;
}

/** Text for the emulator in one go; others have their turn between two of them. */
const writeLength = 64 * 1024;
/** Marks between two looks at the screen are closer than a person can see. */
const looksMs = 20;

/** A place in a recording, and the screen as it is there. One step at a time: no two calls at once. */
export class Cursor {
  readonly #recording: Recording;
  readonly #emulator: Emulator;
  #output: OutputState = outputStart;
  /** Decoded and not played. */
  #events: readonly CastEvent[] = [];
  #at = 0;
  /** Where decoding goes on behind them. */
  #next: CastPlace = castStart;
  #timeMs = 0;
  #text = "";
  malformed = 0;

  constructor(recording: Recording, emulator: Emulator) {
    this.#recording = recording;
    this.#emulator = emulator;
  }

  get emulator(): Emulator {
    return this.#emulator;
  }

  /** Of the last event that was played. */
  get timeMs(): number {
    return this.#timeMs;
  }

  /** Byte of the file up to which it was played. */
  get at(): number {
    return (this.#events[this.#at]?.place ?? this.#next).at;
  }

  /** The event that comes next; undefined at the end. */
  async peek(): Promise<CastEvent | undefined> {
    while (this.#at >= this.#events.length) {
      if (!(await this.#decode())) return undefined;
    }
    return this.#events[this.#at];
  }

  /** Plays while `goesOn` says so of the next event, which it then plays. */
  async play(goesOn: (event: CastEvent) => boolean): Promise<void> {
    for (;;) {
      const event = await this.peek();
      if (event === undefined || !goesOn(event)) break;
      await this.#apply(event);
      if (this.#text.length > writeLength) await this.#flush();
    }
    await this.#flush();
  }

  /** As `play`, and looks at the screen wherever a person could have. */
  async playLooking(goesOn: (event: CastEvent) => boolean, look: (timeMs: number) => void): Promise<void> {
    let texts: string[] = [];
    let times: number[] = [];
    let length = 0;
    const show = async (): Promise<void> => {
      const shown = times;
      await this.#emulator.writeLooking(texts, (index) => look(shown[index] ?? 0));
      texts = [];
      times = [];
      length = 0;
    };
    for (;;) {
      const event = await this.peek();
      const isOver = event === undefined || !goesOn(event);
      const isResize = event?.kind === "resize" || event?.kind === "header";
      const isPause = isOver || isResize || event.timeMs - this.#timeMs >= looksMs || this.#text.length > writeLength;
      if (isPause && this.#text !== "") {
        texts.push(this.#text);
        times.push(this.#timeMs);
        length += this.#text.length;
        this.#text = "";
      }
      if (isOver || isResize || length > writeLength) await show();
      if (isOver) return;
      await this.#apply(event);
    }
  }

  keyframe(): Keyframe {
    return {
      timeMs: this.#timeMs,
      place: this.#events[this.#at]?.place ?? this.#next,
      output: this.#output,
      screen: this.#emulator.copy(),
    };
  }

  restore({ timeMs, place, output, screen }: Keyframe): void {
    this.#emulator.restore(screen);
    this.#timeMs = timeMs;
    this.#output = output;
    this.#next = place;
    this.#events = [];
    this.#at = 0;
    this.#text = "";
  }

  async #decode(): Promise<boolean> {
    let bytes = await this.#recording.read(this.#next.at);
    for (;;) {
      const end = this.#next.at + bytes.length;
      const isLast = end >= this.#recording.sizeBytes;
      const { events, next, malformed } = decodeCast(bytes, this.#next, isLast);
      this.malformed += malformed;
      const isStuck = next.at === this.#next.at && next.inside === this.#next.inside;
      this.#next = next;
      if (events.length > 0) {
        this.#events = events;
        this.#at = 0;
        return true;
      }
      if (!isStuck) return this.#next.at < this.#recording.sizeBytes ? this.#decode() : false;
      if (isLast) return false;
      // Not even one event in it: the rest of it stands in the next piece.
      const more = await this.#recording.read(end);
      const joined = new Uint8Array(bytes.length + more.length);
      joined.set(bytes);
      joined.set(more, bytes.length);
      bytes = joined;
    }
  }

  async #apply(event: CastEvent): Promise<void> {
    this.#at += 1;
    this.#timeMs = event.timeMs;
    if (event.kind === "output") {
      const { text, state } = filterOutput(event.text, this.#output);
      this.#output = state;
      this.#text += text;
    } else if (event.kind === "resize" || event.kind === "header") {
      await this.#flush();
      this.#emulator.resize(event);
    }
  }

  async #flush(): Promise<void> {
    const text = this.#text;
    this.#text = "";
    await this.#emulator.write(text);
  }
}
