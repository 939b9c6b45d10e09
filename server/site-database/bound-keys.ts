import { EndpointError } from "../errors.ts";
import {
  volumeTypes,
  type BoundField,
  type KeyBounds,
  type ListedKey,
  type ProtectorQuery,
  type RecoveryKey,
  type RecoveryKeyQuery,
  type SiteDatabase,
} from "../command/site-database.ts";

type Bounded = Pick<ListedKey, BoundField>;

async function* filtered<Key extends Bounded>(
  batches: AsyncIterable<readonly Key[]>,
  isInside: (key: Bounded) => boolean,
): AsyncGenerator<Key[]> {
  for await (const batch of batches) {
    const inside = batch.filter(isInside);
    if (inside.length > 0) yield inside;
  }
}

/** Values that can be named are named to the database, so that it reads no more than it must. What was asked for is within them. */
const narrowed = <Query extends ProtectorQuery>(query: Query, { computerName, volumeType }: KeyBounds): Query => ({
  ...(computerName?.values === undefined ? {} : { computerNames: computerName.values }),
  ...(volumeType?.values === undefined ? {} : { volumeTypes: volumeTypes.filter(volumeType.allows) }),
  ...query,
});

/**
 * The site as a role with bounds sees it: a key outside is not there, for counting, reading and marking alike. Commands know no other
 * port, so none can forget the bounds. Without bounds it is the port itself, and costs nothing.
 *
 * Counting by a rule on names reads the keys and looks at each: how the database compares names is not how a rule does, and a
 * count that is not exact would make a limit of rows wrong in either direction.
 */
export const boundKeys = (site: SiteDatabase, bounds: KeyBounds | undefined): SiteDatabase => {
  if (bounds === undefined) return site;
  const { computerName, volumeType } = bounds;
  const isInside = (key: Bounded): boolean =>
    (computerName?.allows(key.computerName) ?? true) && (volumeType?.allows(key.volumeType) ?? true);
  const read = (query: RecoveryKeyQuery, signal: AbortSignal): AsyncGenerator<RecoveryKey[]> =>
    filtered(site.readRecoveryKeys(narrowed(query, bounds), signal), isInside);
  // Read once more, as an id does not say where its key is. Rejected: to remember what was read, which may be every key of the site.
  const areInside = async (passwordIds: readonly string[], signal: AbortSignal): Promise<boolean> => {
    const inside = new Set<string>();
    for await (const batch of read({ passwordIds }, signal)) {
      for (const { passwordId } of batch) inside.add(passwordId);
    }
    return passwordIds.every((id) => inside.has(id));
  };
  return {
    ...site,
    // By the stored names: the typed one was judged when its line was bound, and says nothing of what it leads to.
    findComputers: async (name, signal) => {
      const { same, other } = await site.findComputers(name, signal);
      const allows = computerName?.allows ?? (() => true);
      return { same: same.filter(allows), other: other.filter(allows) };
    },
    searchKeys: (search, signal) => filtered(site.searchKeys(search, signal), isInside),
    countRecoveryKeys: async (query, signal) => {
      if (computerName === undefined && volumeType?.values !== undefined)
        return site.countRecoveryKeys(narrowed(query, bounds), signal);
      let count = 0;
      for await (const batch of read(query, signal)) count += batch.length;
      return count;
    },
    // All that this role may read is not all that there is: reading it is no collection, and the number of the rest is not its business.
    keysStored: () => Promise.resolve(undefined),
    keysSince: () => Promise.resolve({ keys: 0 }),
    readRecoveryKeys: read,
    readTpmPasswordHashes: async (name, signal) =>
      (await site.readTpmPasswordHashes(name, signal)).filter((one) => computerName?.allows(one.computerName) ?? true),
    readProtectors: (query, signal) => filtered(site.readProtectors(narrowed(query, bounds), signal), isInside),
    markDisclosed: async (passwordIds, reason, signal) => {
      if (!(await areInside(passwordIds, signal)))
        throw new EndpointError("ResourceUnavailable", "A recovery key is not there any longer, so it is not shown.");
      await site.markDisclosed(passwordIds, reason, signal);
    },
    hasRecoveryPackage: async (passwordId, signal) =>
      (await areInside([passwordId], signal)) ? site.hasRecoveryPackage(passwordId, signal) : false,
    takeRecoveryPackage: async (passwordId, reason, signal) =>
      (await areInside([passwordId], signal)) ? site.takeRecoveryPackage(passwordId, reason, signal) : undefined,
  };
};
