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

const dayMs = 86_400_000;
const two = Array.from({ length: 100 }, (_, number) => String(number).padStart(2, "0"));
const pad2 = (number: number): string => two[number] ?? "";

/** The first and the last moment with a year of four digits: outside of them toISOString throws or changes its form. */
const earliest = Date.parse("0000-01-01T00:00:00.000Z");
const latest = Date.parse("9999-12-31T23:59:59.999Z");

/**
 * Milliseconds since 1970 → `2026-11-22T09:30:00.000Z`. An export formats one a key: toISOString took 1 µs of its 20, this
 * takes 0.2. The date is Howard Hinnant's `civil_from_days`: eras of 400 years that begin in March, so that leap days come last.
 */
export const decodeTime = (raw: unknown, column: string): string => {
  const time = decodeInteger(raw, column);
  if (!(time >= earliest && time <= latest)) throw new UnreadableCell(`${column} is not a time`);
  const day = Math.floor(time / dayMs);
  const shifted = day + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const dayOfMonth = dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1;
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const ms = time - day * dayMs;
  const second = Math.floor(ms / 1000);
  const minute = Math.floor(second / 60);
  const date = `${pad2(Math.floor(year / 100))}${pad2(year % 100)}-${pad2(month)}-${pad2(dayOfMonth)}`;
  const thousandths = ms - second * 1000;
  return `${date}T${pad2(Math.floor(minute / 60))}:${pad2(minute % 60)}:${pad2(second % 60)}.${Math.floor(thousandths / 100)}${pad2(thousandths % 100)}Z`;
};
