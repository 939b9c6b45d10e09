import type { Row } from "../../commands/define-command.ts";
import { EndpointError } from "../errors.ts";

export const tooManyRows = (maxRows: number): EndpointError =>
  new EndpointError(
    "LimitsExceeded",
    `This matches more than ${maxRows} rows, the most your role shows at once. Name a computer or a key id more exactly.`,
  );

/**
 * Holds a role's row limit: nothing is yielded until it is known that the limit holds, so that a refusal shows nothing.
 * Without a limit rows just stream. A limit is at most 10,000 rows, so holding them is cheap.
 *
 * @throws EndpointError LimitsExceeded
 */
export async function* limitRows(
  batches: AsyncIterable<readonly Row[]>,
  maxRows: number | undefined,
): AsyncGenerator<readonly Row[]> {
  if (maxRows === undefined) {
    yield* batches;
    return;
  }
  const held: Row[] = [];
  for await (const batch of batches) {
    held.push(...batch);
    if (held.length > maxRows) throw tooManyRows(maxRows);
  }
  yield held;
}

export interface Batch<T> {
  readonly rows: readonly T[];
  /** Whether rows follow; `true` also where nobody looked ahead. */
  readonly more: boolean;
}

/**
 * Cuts batches so that none has more rows than `atMost()` says when it is asked for.
 *
 * @param lookAhead tell before a batch is taken whether another follows: what a page on a screen needs, and what would make
 *   a script wait for its first byte
 */
export async function* inBatchesOf<T>(
  batches: AsyncIterable<readonly T[]>,
  atMost: () => number,
  lookAhead: boolean,
): AsyncGenerator<Batch<T>> {
  let held: readonly T[] = [];
  for await (const batch of batches) {
    if (batch.length === 0) continue;
    if (held.length > 0) yield { rows: held, more: true };
    held = batch;
    for (let size = Math.max(1, atMost()); held.length > size; size = Math.max(1, atMost())) {
      const rows = held.slice(0, size);
      held = held.slice(size);
      yield { rows, more: true };
    }
    if (lookAhead) continue;
    yield { rows: held, more: true };
    held = [];
  }
  if (held.length > 0) yield { rows: held, more: false };
}
