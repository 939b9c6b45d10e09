import type { Row } from "../../commands/define-command.ts";
import { EndpointError } from "../errors.ts";

/** The smaller of what a role shows at once and what was approved. */
export interface RowLimit {
  readonly rows: number;
  readonly because: "role" | "approval";
}

export const rowLimitOf = (maxRows: number | undefined, ceiling: number | undefined): RowLimit | undefined => {
  if (ceiling !== undefined && ceiling <= (maxRows ?? ceiling)) return { rows: ceiling, because: "approval" };
  return maxRows === undefined ? undefined : { rows: maxRows, because: "role" };
};

export const tooManyRows = ({ rows, because }: RowLimit): EndpointError =>
  new EndpointError(
    "LimitsExceeded",
    because === "role"
      ? `This matches more than ${rows} rows, the most your role shows at once. Name a computer or a key id more exactly.`
      : `This matches more than the ${rows} rows that were approved. Ask again, with what there is now.`,
  );

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
    if (seen > limit.rows) throw tooManyRows(limit);
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
