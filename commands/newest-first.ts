import type { RecoveryKey } from "../server/command/site-database.ts";

type Batches = AsyncIterable<readonly RecoveryKey[]>;

/** Keys held back at most: of a computer with more, each such part is in order. */
const mostHeld = 1000;

/** Times in ISO 8601 sort as texts; of one time, the order of the site database stays. */
const byTime = (a: RecoveryKey, b: RecoveryKey): number =>
  a.lastUpdateTime > b.lastUpdateTime ? -1 : Number(a.lastUpdateTime < b.lastUpdateTime);

/**
 * Keys in the order in which a person tries them: the newest first. A site database walks its own indexes, by volume or by id.
 *
 * @param read called when the first key is wanted
 * @param across all keys together, where they were asked for by id; else those of each computer, in whose order they come
 */
export async function* newestFirst(read: () => Batches, across: boolean): AsyncGenerator<readonly RecoveryKey[]> {
  let held: RecoveryKey[] = [];
  for await (const batch of read()) {
    const inOrder: RecoveryKey[] = [];
    for (const key of batch) {
      const isOther = !across && held[0] !== undefined && held[0].computerName !== key.computerName;
      if (isOther || held.length >= mostHeld) {
        inOrder.push(...held.sort(byTime));
        held = [];
      }
      held.push(key);
    }
    if (inOrder.length > 0) yield inOrder;
  }
  if (held.length > 0) yield held.sort(byTime);
}
