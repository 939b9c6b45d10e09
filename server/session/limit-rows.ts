import type { Row } from "../command/define-command.ts";
import { EndpointError } from "../errors.ts";
import { listInWords } from "../model/list-in-words.ts";

/** The smaller of what a role shows at once and what was approved. */
export interface RowLimit {
  readonly rows: number;
  readonly because: "role" | "approval";
  /** What the role counts. */
  readonly of: "keys" | "rows";
}

/** @param most of the role, for rows with or without keys */
export const rowLimitOf = (
  of: RowLimit["of"],
  most: number | undefined,
  ceiling: number | undefined,
): RowLimit | undefined => {
  if (ceiling !== undefined && ceiling <= (most ?? ceiling)) return { rows: ceiling, because: "approval", of };
  return most === undefined ? undefined : { rows: most, because: "role", of };
};

/** What a refusal may say more. */
export interface Surplus {
  /** How many there are, where this user may know it. */
  readonly count?: number | undefined;
  readonly narrowing?: readonly string[] | undefined;
  /** How many rows of the same would be listed without keys. */
  readonly listed?: number | undefined;
  readonly secretColumns?: readonly string[];
}

export const tooManyRows = ({ rows, because, of }: RowLimit, surplus: Surplus = {}): EndpointError => {
  if (because === "approval")
    return new EndpointError(
      "LimitsExceeded",
      `This matches more than the ${rows} approved rows. Ask again for the rows that are there now.`,
    );
  const { count, narrowing = [], listed, secretColumns = [] } = surplus;
  const setting = of === "keys" ? "keys at once (maxRows)" : "rows at once (maxListed)";
  const there = count === undefined ? `There are more than ${rows} rows` : `There are ${count} rows`;
  const without =
    of === "keys" && listed !== undefined && listed > rows
      ? ` Without the column ${secretColumns.join(", ")} up to ${listed} are listed (maxListed).`
      : "";
  return new EndpointError(
    "LimitsExceeded",
    `${there}, and your role shows at most ${rows} ${setting}. ` +
      `${listInWords([...narrowing, `| Select-Object -First ${rows}`], " or ")} leaves fewer.${without}`,
  );
};

/**
 * Rows up to a limit, and an error for whoever asks for more: what stands behind a pipe reaches no further.
 *
 * @throws EndpointError LimitsExceeded
 */
export async function* withinReach(
  batches: AsyncIterable<readonly Row[]>,
  limit: number,
  tooMany: () => EndpointError,
): AsyncGenerator<readonly Row[]> {
  let left = limit;
  for await (const batch of batches) {
    if (left > 0 && batch.length > 0) yield batch.slice(0, left);
    if (batch.length > left) throw tooMany();
    left -= batch.length;
  }
}

/** Rows held back at most: a larger limit streams, and stops at the limit. */
const mostHeld = 10_000;

/**
 * Holds a limit of rows: nothing is yielded until it is known that the limit holds, so that a refusal shows nothing.
 * Without a limit rows just stream. An approval's ceiling may be too large to hold so many rows: then its count was
 * compared before, and what came in between is cut off before it is disclosed. A live answer has no end to wait for.
 *
 * @throws EndpointError LimitsExceeded
 */
export async function* limitRows(
  batches: AsyncIterable<readonly Row[]>,
  limit: RowLimit | undefined,
  tooMany: () => EndpointError,
  isLive = false,
): AsyncGenerator<readonly Row[]> {
  if (limit === undefined) {
    yield* batches;
    return;
  }
  const held: Row[] = [];
  let seen = 0;
  for await (const batch of batches) {
    seen += batch.length;
    if (seen > limit.rows) throw tooMany();
    if (isLive || limit.rows > mostHeld) yield batch;
    else held.push(...batch);
  }
  if (held.length > 0) yield held;
}

/** Rows in one message of a live answer, at most. */
const liveRows = 64;

/** A live answer's rows, shown as they come: none waits for a batch to be full, or for a key to be pressed. */
export async function* asTheyCome<T>(batches: AsyncIterable<readonly T[]>): AsyncGenerator<Batch<T>> {
  for await (const batch of batches) {
    for (let at = 0; at < batch.length; at += liveRows) yield { rows: batch.slice(at, at + liveRows), more: false };
  }
}

export interface Batch<T> {
  readonly rows: readonly T[];
  /** Whether rows follow; `true` also where nobody looked ahead. */
  readonly more: boolean;
}

/**
 * Cuts and joins batches so that each has as many rows as `atMost()` says when it is asked for, the last one fewer.
 *
 * @param lookAhead tell before a batch is taken whether another follows: what a page on a screen needs
 */
export async function* inBatchesOf<T>(
  batches: AsyncIterable<readonly T[]>,
  atMost: () => number,
  lookAhead: boolean,
): AsyncGenerator<Batch<T>> {
  let held: readonly T[] = [];
  const isFull = (): boolean => {
    const size = Math.max(1, atMost());
    return lookAhead ? held.length > size : held.length >= size;
  };
  for await (const batch of batches) {
    held = held.length === 0 ? batch : [...held, ...batch];
    while (isFull()) {
      const size = Math.max(1, atMost());
      const rows = held.slice(0, size);
      held = held.slice(size);
      yield { rows, more: true };
    }
  }
  if (held.length > 0) yield { rows: held, more: false };
}
