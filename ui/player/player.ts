import type { Clock } from "../clock.ts";
import { clockText, parseClock } from "./clock-text.ts";
import { Cursor } from "./cursor.ts";
import { createEmulator, type Emulator, type ScreenView } from "./emulator.ts";
import { findAppearance } from "./find-appearance.ts";
import { type CastSource, Recording } from "./recording.ts";
import { type Marker, Timeline } from "./timeline.ts";

const speeds = [0.25, 0.5, 1, 2, 4, 8, 16] as const;
/** A gap is shortened to this; in recorded time, so that double speed waits half as long. */
const idleLimitMs = 2_000;
/** Ten pictures a second: each of them is in the auditor's own transcript too. */
const frameMs = 100;
/** `p` right after a jump means the one before it, although a moment has been played since. */
const graceMs = 1_000;

export interface PlayerParts {
  readonly source: CastSource;
  readonly clock: Clock;
  /** Something to be painted anew. */
  readonly onChange: () => void;
  /** For tests. */
  readonly createEmulator?: () => Promise<Emulator>;
}

/** What the player's screen is made of. */
export interface PlayerView {
  readonly screen: ScreenView | undefined;
  readonly positionMs: number;
  /** Known once the transcript was read to its end. */
  readonly durationMs: number | undefined;
  /** How much of the transcript was read ahead, from 0 to 1. */
  readonly readPart: number;
  readonly isPlaying: boolean;
  readonly speed: number;
  readonly shortensIdle: boolean;
  readonly isLive: boolean;
  readonly malformed: number;
  readonly command: string | undefined;
  readonly message: string | undefined;
}

interface Parts {
  readonly recording: Recording;
  readonly cursor: Cursor;
  readonly timeline: Timeline;
}

/**
 * Plays one transcript. Whatever is asked of it is done one after the other on one cursor; what is asked last ends what was going on.
 */
export class Player {
  readonly #parts: PlayerParts;
  readonly #ready: Promise<Parts>;
  #timeline: Timeline | undefined;
  #searcher: Cursor | undefined;
  #screen: ScreenView | undefined;
  #positionMs = 0;
  #isPlaying = true;
  #speed = 2;
  #shortensIdle = true;
  #message: string | undefined;
  #needle = "";
  /** The last search came to the end. */
  #notFound = false;
  #asked = 0;
  /** Still to be made. */
  #steps = 0;
  /** Where a seek under way goes: what is asked next goes on from there. */
  #goal: number | undefined;
  #doing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(parts: PlayerParts) {
    this.#parts = parts;
    this.#ready = this.#start();
    this.#do(async () => undefined);
  }

  get view(): PlayerView {
    const timeline = this.#timeline;
    return {
      screen: this.#screen,
      positionMs: this.#positionMs,
      durationMs: timeline?.isComplete === true ? timeline.durationMs : undefined,
      readPart: (timeline?.bytesRead ?? 0) / Math.max(1, this.#parts.source.sizeBytes),
      isPlaying: this.#isPlaying,
      speed: speeds[this.#speed] ?? 1,
      shortensIdle: this.#shortensIdle,
      isLive: timeline?.isComplete === true && !timeline.hasEnd,
      malformed: timeline?.malformed ?? 0,
      command: timeline?.commandWords(this.#positionMs),
      message: this.#message,
    };
  }

  dismissMessage(): void {
    this.#message = undefined;
  }

  get #heading(): number {
    return this.#goal ?? this.#positionMs;
  }

  get needle(): string {
    return this.#needle;
  }

  /** Resolves when nothing that was asked is still to be done; never while it plays. */
  get settled(): Promise<void> {
    return this.#doing;
  }

  pause(): void {
    this.#isPlaying = false;
    this.#do(async () => undefined);
  }

  playOrPause(): void {
    const timeline = this.#timeline;
    const isAtEnd = timeline?.isComplete === true && this.#positionMs >= timeline.durationMs;
    this.#isPlaying = !this.#isPlaying;
    if (this.#isPlaying && isAtEnd) this.seek(0);
    else this.#do(async () => undefined);
  }

  step(): void {
    this.#isPlaying = false;
    // Those that were asked for and not made yet are still wanted: the key repeats faster than a step may take.
    const steps = this.#steps + 1;
    this.#do(async ({ cursor }, isWanted) => {
      for (; this.#steps > 0 && isWanted(); this.#steps -= 1) {
        const event = await cursor.peek();
        if (event === undefined) {
          this.#message = "This is the end.";
          return;
        }
        await cursor.play(({ timeMs }) => timeMs <= event.timeMs);
        this.#positionMs = event.timeMs;
      }
    });
    this.#steps = steps;
  }

  changeSpeed(by: 1 | -1): void {
    this.#speed = Math.min(speeds.length - 1, Math.max(0, this.#speed + by));
  }

  toggleIdle(): void {
    this.#shortensIdle = !this.#shortensIdle;
    this.#message = this.#shortensIdle ? "Gaps are shortened to 2 seconds." : "Gaps are as long as they were.";
  }

  seek(timeMs: number): void {
    this.#do((parts, isWanted) => this.#seek(parts, timeMs, isWanted));
    this.#goal = timeMs;
  }

  seekBy(byMs: number): void {
    this.seek(Math.max(0, this.#heading + byMs));
  }

  seekToEnd(): void {
    this.#isPlaying = false;
    this.seek(Number.POSITIVE_INFINITY);
  }

  /** @returns whether it was a time */
  seekTo(typed: string): boolean {
    const timeline = this.#timeline;
    if (typed.endsWith("%") && timeline?.isComplete !== true) {
      this.#message = "The length is not known yet. Give a time.";
      return true;
    }
    const timeMs = parseClock(typed, timeline?.durationMs ?? 0);
    if (timeMs !== undefined) this.seek(timeMs);
    return timeMs !== undefined;
  }

  jump(kind: Marker["kind"], direction: 1 | -1): void {
    const timeline = this.#timeline;
    const at = this.#heading;
    const marker =
      direction > 0
        ? timeline?.markerAfter(at, kind)
        : timeline?.markerBefore(this.#isPlaying ? at - graceMs : at, kind);
    if (marker !== undefined) {
      this.#do(async (parts, isWanted) => {
        await this.#seek(parts, marker.timeMs, isWanted);
        this.#message = marker.label;
      });
      this.#goal = marker.timeMs;
      return;
    }
    const where = direction > 0 ? "after" : "before";
    this.#message =
      direction > 0 && timeline?.isComplete !== true
        ? "None in what was read so far; try again in a moment."
        : `No ${kind} ${where} this.`;
  }

  /** Looks for the next time at which a text comes onto the screen. Case doesn't count. */
  search(needle: string): void {
    const fromStart = this.#notFound && needle === this.#needle;
    this.#notFound = false;
    this.#needle = needle;
    this.#isPlaying = false;
    this.#do((parts, isWanted) => this.#search(parts, needle.toLowerCase(), fromStart, isWanted));
  }

  /** Ends a search or a seek that takes long. */
  interrupt(): void {
    this.#message = undefined;
    this.#do(async () => undefined);
  }

  close(): void {
    this.#closed = true;
    this.#asked += 1;
  }

  async #start(): Promise<Parts> {
    const recording = new Recording(this.#parts.source);
    const create = this.#parts.createEmulator ?? createEmulator;
    const cursor = new Cursor(recording, await create());
    const timeline = new Timeline(cursor.keyframe());
    this.#timeline = timeline;
    const ahead = new Cursor(recording, await create());
    void timeline.read(
      ahead,
      () => !this.#closed,
      () => this.#changed(),
    );
    return { recording, cursor, timeline };
  }

  #changed(): void {
    if (!this.#closed) this.#parts.onChange();
  }

  /** Does what was asked last, then plays on. */
  #do(work: (parts: Parts, isWanted: () => boolean) => Promise<void>): void {
    const mine = ++this.#asked;
    this.#steps = 0;
    this.#goal = undefined;
    const isWanted = (): boolean => mine === this.#asked;
    const before = this.#doing;
    this.#doing = (async () => {
      await before;
      const parts = await this.#ready;
      if (!isWanted()) return;
      await work(parts, isWanted);
      if (isWanted()) this.#goal = undefined;
      this.#look(parts);
      await this.#playOn(parts, isWanted);
    })();
  }

  #look({ cursor }: Parts): void {
    this.#screen = cursor.emulator.view();
    this.#changed();
  }

  async #seek({ cursor, timeline }: Parts, timeMs: number, isWanted: () => boolean): Promise<void> {
    const wanted = Math.max(0, timeMs);
    const keyframe = timeline.before(wanted);
    if (wanted < cursor.timeMs || keyframe.place.at > cursor.at) cursor.restore(keyframe);
    await cursor.play((event) => isWanted() && event.timeMs <= wanted);
    const isEnd = isWanted() && (await cursor.peek()) === undefined;
    this.#positionMs = isEnd || !isWanted() ? Math.min(wanted, cursor.timeMs) : wanted;
  }

  async #playOn(parts: Parts, isWanted: () => boolean): Promise<void> {
    const { cursor } = parts;
    const { clock } = this.#parts;
    let lastAt = clock.now();
    while (this.#isPlaying && isWanted()) {
      const next = await cursor.peek();
      if (next === undefined) {
        this.#isPlaying = false;
        this.#positionMs = cursor.timeMs;
        break;
      }
      const nowAt = clock.now();
      this.#positionMs += (nowAt - lastAt) * (speeds[this.#speed] ?? 1);
      lastAt = nowAt;
      const isIdle = this.#shortensIdle && this.#positionMs - cursor.timeMs >= idleLimitMs;
      if (isIdle && this.#positionMs < next.timeMs) this.#positionMs = next.timeMs;
      const until = this.#positionMs;
      await cursor.play((event) => isWanted() && event.timeMs <= until);
      this.#look(parts);
      await new Promise<void>((resolve) => clock.after(frameMs, resolve));
    }
    this.#changed();
  }

  async #search(parts: Parts, needle: string, fromStart: boolean, isWanted: () => boolean): Promise<void> {
    const { recording, timeline } = parts;
    const fromMs = fromStart ? 0 : this.#positionMs;
    const searcher = (this.#searcher ??= new Cursor(recording, await (this.#parts.createEmulator ?? createEmulator)()));
    searcher.restore(timeline.before(fromMs));
    await searcher.play((event) => isWanted() && event.timeMs <= fromMs);
    const found = await findAppearance(searcher, { needle, fromStart }, isWanted, (timeMs) => {
      this.#message = `Searching… ${clockText(timeMs)}  (Esc ends it)`;
      this.#changed();
    });
    if (!isWanted()) return;
    if (found === undefined) {
      this.#notFound = !fromStart;
      this.#message = fromStart
        ? "It is nowhere in this transcript."
        : "Not found from here on. Enter searches from the start.";
      return;
    }
    await this.#seek(parts, found, isWanted);
    this.#message = `Found at ${clockText(found)}. Enter finds the next.`;
  }
}
