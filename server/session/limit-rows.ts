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

/** Cuts or passes batches so that none has more rows than `atMost()` says when it is asked for. */
export async function* inBatchesOf<T>(
  batches: AsyncIterable<readonly T[]>,
  atMost: () => number,
): AsyncGenerator<readonly T[]> {
  for await (const batch of batches) {
    for (let at = 0; at < batch.length;) {
      const size = Math.max(1, atMost());
      const cut = at === 0 && batch.length <= size ? batch : batch.slice(at, at + size);
      yield cut;
      at += cut.length;
    }
  }
}
