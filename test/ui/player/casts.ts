import { Cursor } from "../../../ui/player/cursor.ts";
import { createEmulator } from "../../../ui/player/emulator.ts";
import { type CastSource, Recording } from "../../../ui/player/recording.ts";
import type { Clock } from "../../../ui/clock.ts";

export type Event = readonly [seconds: number, code: string, content: string];

const header = (columns: number, rows: number): string =>
  JSON.stringify({ version: 3, term: { cols: columns, rows, type: "xterm-256color" }, timestamp: 1_763_769_600 });

/** An asciicast v3 file, as the server writes it. */
export const castOf = (events: readonly Event[], { columns, rows } = { columns: 80, rows: 24 }): string =>
  `${[header(columns, rows), ...events.map((event) => JSON.stringify(event))].join("\n")}\n`;

/** A transcript's bytes as the server gives them: from anywhere on, at most so many. */
export const sourceOf = (cast: string | Uint8Array, pieceBytes = 128 * 1024): CastSource => {
  const bytes = typeof cast === "string" ? new TextEncoder().encode(cast) : cast;
  return {
    sizeBytes: bytes.length,
    fetch: async (from) => bytes.slice(from, from + pieceBytes),
  };
};

export const cursorOn = async (source: CastSource): Promise<Cursor> =>
  new Cursor(new Recording(source), await createEmulator());

/** Time that passes only when somebody waits for it. */
export class TestClock implements Clock {
  #nowMs = 0;

  now(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): { cancel(): void } {
    const timer = setTimeout(() => {
      this.#nowMs += delayMs;
      run();
    }, 0);
    return { cancel: () => clearTimeout(timer) };
  }
}
