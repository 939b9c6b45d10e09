import { UnreadableCell } from "./failures.ts";

/**
 * One row as `setReturnArrays(true)` gives it: measured 1.7 times faster than objects in bulk.
 * Its values are untrusted until one of the decoders below has looked at them: anybody may have edited the file.
 */
export type RawRow = readonly unknown[];

export const decodeText = (raw: unknown, column: string): string => {
  if (typeof raw !== "string") throw new UnreadableCell(`${column} is not text`);
  return raw;
};

export const decodeInteger = (raw: unknown, column: string): number => {
  if (typeof raw !== "number" || !Number.isSafeInteger(raw)) throw new UnreadableCell(`${column} is not an integer`);
  return raw;
};

export const decodeBytes = (raw: unknown, column: string): Uint8Array => {
  if (!(raw instanceof Uint8Array)) throw new UnreadableCell(`${column} is not binary`);
  return raw;
};

/** The first and the last moment with a year of four digits: outside of them toISOString throws or changes its form. */
const earliest = Date.parse("0000-01-01T00:00:00.000Z");
const latest = Date.parse("9999-12-31T23:59:59.999Z");

/** Milliseconds since 1970 → `2026-11-22T09:30:00.000Z`. */
export const decodeTime = (raw: unknown, column: string): string => {
  const time = decodeInteger(raw, column);
  if (!(time >= earliest && time <= latest)) throw new UnreadableCell(`${column} is not a time`);
  return new Date(time).toISOString();
};
