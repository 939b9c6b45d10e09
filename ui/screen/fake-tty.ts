import { Readable, Writable } from "node:stream";
import type { Size } from "../layout/live.ts";

/** 0 or undefined (`ssh -tt` without a terminal) would make Ink run an external program to find the size. */
const clamp = (value: number, otherwise: number): number =>
  Number.isInteger(value) && value > 0 ? Math.min(value, 1000) : otherwise;

const clampSize = ({ columns, rows }: Size): Size => ({ columns: clamp(columns, 80), rows: clamp(rows, 24) });

export interface FakeTty {
  /** Never gives anything: keys are decoded by `input/key-decoder.ts`, Ink only paints. */
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly size: Size;
  resize(size: Size): void;
  /** Tells Ink of the size, which repaints. */
  announceSize(): void;
  /** Around Ink, for modes that Ink doesn't set. */
  write(text: string): void;
}

/**
 * A terminal made of nothing but a size and a place to write to: no pty, no ioctl.
 * Writes go through at once and in order, never into a buffer here: `released` must not overtake them.
 */
export const createFakeTty = (initial: Size, paint: (text: string) => void): FakeTty => {
  let size = clampSize(initial);
  // A kernel terminal would do this (ONLCR).
  const write = (text: string): void => paint(text.replace(/\r?\n/g, "\r\n"));
  const stdin = Object.assign(new Readable({ read: () => undefined }), {
    isTTY: true,
    setRawMode: () => undefined,
    ref: () => undefined,
    unref: () => undefined,
  });
  const stdout = Object.assign(
    new Writable({
      decodeStrings: false, // Ink writes strings: no character is split on the way
      write(chunk: string | Buffer, _encoding, done) {
        write(typeof chunk === "string" ? chunk : chunk.toString("utf8"));
        done();
      },
    }),
    { isTTY: true, ...size },
  );
  return {
    // Ink uses what is assigned above of these types and nothing else (its source, 8.0.0).
    stdin: stdin as unknown as NodeJS.ReadStream,
    stdout: stdout as unknown as NodeJS.WriteStream,
    get size() {
      return size;
    },
    resize(next) {
      size = clampSize(next);
      Object.assign(stdout, size);
    },
    announceSize() {
      stdout.emit("resize");
    },
    write,
  };
};
