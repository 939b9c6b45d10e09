import type { KeyBounds, RecoveryKey, RecoveryKeyQuery, SiteDatabase } from "./port.ts";

type Batches = AsyncIterable<readonly RecoveryKey[]>;

async function* filtered(batches: Batches, isInside: (key: RecoveryKey) => boolean): AsyncGenerator<RecoveryKey[]> {
  for await (const batch of batches) {
    const inside = batch.filter(isInside);
    if (inside.length > 0) yield inside;
  }
}

/**
 * The site as a role with bounds sees it: a key outside is not there, for counting, reading and marking alike. Commands know no other
 * port, so none can forget the bounds. Without bounds it is the port itself, and costs nothing.
 *
 * Counting reads the keys and looks at each: how the database compares names is not how a rule does, and a count that is not exact
 * would make a limit of rows wrong in either direction.
 */
export const boundKeys = (site: SiteDatabase, bounds: KeyBounds | undefined): SiteDatabase => {
  if (bounds === undefined) return site;
  const isInside = (key: RecoveryKey): boolean =>
    (bounds.computerName?.(key.computerName) ?? true) && (bounds.volumeType?.(key.volumeType) ?? true);
  const read = (query: RecoveryKeyQuery, signal: AbortSignal): AsyncGenerator<RecoveryKey[]> =>
    filtered(site.readRecoveryKeys(query, signal), isInside);
  return {
    ...site,
    countRecoveryKeys: async (query, signal) => {
      let count = 0;
      for await (const batch of read(query, signal)) count += batch.length;
      return count;
    },
    readRecoveryKeys: read,
    // The database marks what it yields: so only keys that are inside are named to it.
    discloseRecoveryKeys: async function* disclose(query, reason, signal) {
      for await (const batch of read(query, signal)) {
        const passwordIds = batch.map(({ passwordId }) => passwordId);
        yield* filtered(site.discloseRecoveryKeys({ ...query, passwordIds }, reason, signal), isInside);
      }
    },
  };
};
