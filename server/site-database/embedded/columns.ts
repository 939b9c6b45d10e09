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

/** Milliseconds since 1970 → `2026-11-22T09:30:00.000Z`. */
export const decodeTime = (raw: unknown, column: string): string => {
  const time = new Date(decodeInteger(raw, column));
  // Only years of four digits: outside of them toISOString throws or changes its form.
  const year = time.getUTCFullYear();
  if (!(year >= 0 && year <= 9999)) throw new UnreadableCell(`${column} is not a time`);
  return time.toISOString();
};
