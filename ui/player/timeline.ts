import type { Cursor, Keyframe } from "./cursor.ts";
import type { CastEvent } from "./decode-cast.ts";

/** A place worth jumping to: the end of a command, or keys about to be shown. */
export interface Marker {
  readonly timeMs: number;
  readonly kind: "command" | "disclosure";
  readonly label: string;
}

/**
 * A command's marker is written when its answer is handed to the screen, which paints it a moment later: jumped to is that moment, or
 * the next marker.
 */
const paintedMs = 500;
/** A seek replays at most this much, or so much recorded time where that is less. */
const spacingBytes = 256 * 1024;
const spacingMs = 10_000;
/** What all keyframes of a transcript may take. Above it every second one goes, and the spacing doubles. */
const keyframeBytes = 24 * 1024 * 1024;
const mostMarkers = 20_000;
const longestLabel = 200;

const kindOf = (label: string): Marker["kind"] => (label.startsWith("disclosed ") ? "disclosure" : "command");

/** What is known of a recording before it is played: where a seek can begin, the markers, how long it takes. */
export class Timeline {
  #keyframes: Keyframe[];
  #spacing = 1;
  readonly #markers: Marker[] = [];
  #durationMs = 0;
  #bytesRead = 0;
  #isComplete = false;
  #hasEnd = false;
  malformed = 0;

  constructor(start: Keyframe) {
    this.#keyframes = [start];
  }

  /** Known so far; of the whole recording once it is complete. */
  get durationMs(): number {
    return this.#durationMs;
  }

  get bytesRead(): number {
    return this.#bytesRead;
  }

  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** The session was over when its transcript was opened. */
  get hasEnd(): boolean {
    return this.#hasEnd;
  }

  get keyframes(): readonly Keyframe[] {
    return this.#keyframes;
  }

  /** The last keyframe at or before a time. */
  before(timeMs: number): Keyframe {
    const later = this.#keyframes.findIndex((one, index) => index > 0 && one.timeMs > timeMs);
    const found = this.#keyframes.at(later < 0 ? -1 : later - 1);
    if (found === undefined) throw new Error("a timeline begins with a keyframe");
    return found;
  }

  markerAfter(timeMs: number, kind: Marker["kind"]): Marker | undefined {
    return this.#markers.find((one) => one.kind === kind && one.timeMs > timeMs);
  }

  markerBefore(timeMs: number, kind: Marker["kind"]): Marker | undefined {
    return this.#markers.findLast((one) => one.kind === kind && one.timeMs < timeMs);
  }

  /** The command whose line or answer is on the screen then: markers stand behind an answer. */
  commandAt(timeMs: number): Marker | undefined {
    return this.#markers.find((one) => one.kind === "command" && one.timeMs >= timeMs);
  }

  /** Of the command under way. How it ended is on the record at its end: until then its name only. */
  commandWords(timeMs: number): string | undefined {
    const command = this.commandAt(timeMs);
    if (command === undefined || command.timeMs <= timeMs) return command?.label;
    return `${command.label.split(":", 1)[0] ?? ""} …`;
  }

  /** Reads a recording once, from its beginning. */
  async read(cursor: Cursor, goesOn: () => boolean, onProgress: () => void): Promise<void> {
    while (goesOn()) {
      const last = this.#keyframes.at(-1);
      let isFirst = true;
      await cursor.play((event) => {
        const isFar =
          last !== undefined &&
          (event.place.at - last.place.at >= spacingBytes * this.#spacing ||
            event.timeMs - last.timeMs >= spacingMs * this.#spacing);
        if (!isFirst && isFar) return false;
        isFirst = false;
        this.#note(event);
        return goesOn();
      });
      this.#bytesRead = cursor.at;
      this.malformed = cursor.malformed;
      if ((await cursor.peek()) === undefined) {
        this.#noLaterThan(this.#durationMs);
        this.#isComplete = true;
        onProgress();
        return;
      }
      this.#keep(cursor.keyframe());
      onProgress();
    }
  }

  #note(event: CastEvent): void {
    this.#durationMs = event.timeMs;
    if (event.kind === "exit") this.#hasEnd = true;
    if (event.kind === "marker" || event.kind === "exit") this.#noLaterThan(event.timeMs);
    if (event.kind !== "marker" || this.#markers.length >= mostMarkers) return;
    // Private use is a key's characters on a screen; no label of ours has any.
    const label = event.label.slice(0, longestLabel).replace(/\p{Co}/gu, "\ufffd");
    const kind = kindOf(label);
    this.#markers.push({ timeMs: event.timeMs + (kind === "command" ? paintedMs : 0), kind, label });
  }

  #noLaterThan(timeMs: number): void {
    const last = this.#markers.at(-1);
    if (last !== undefined && last.timeMs > timeMs) this.#markers[this.#markers.length - 1] = { ...last, timeMs };
  }

  #keep(keyframe: Keyframe): void {
    this.#keyframes.push(keyframe);
    if (this.#keyframes.reduce((sum, { screen }) => sum + screen.bytes, 0) <= keyframeBytes) return;
    this.#keyframes = this.#keyframes.filter((_, index) => index % 2 === 0);
    this.#spacing *= 2;
  }
}
