import type { Collected, KeysStored, KeysWaiting } from "../command/site-database.ts";
import { plural } from "../model/plural.ts";

const howTo = "Collect them, and store them outside of this site: Get-RecoveryKeys -raw";

/** For people who may export every key, and for administrators; undefined where nothing waits. */
export const uncollectedInWords = ({ keys, since }: KeysWaiting): string | undefined => {
  if (keys === 0) return undefined;
  // Not "never collected": a collection from another database, or of more keys than are here now, may have had these.
  const which =
    since === undefined ? "Counted as not collected" : `Newer than the last collection (${since.slice(0, 10)})`;
  return `${which}: ${plural(keys, "key")}. ${howTo}`;
};

/** What came after it, of keys that are only ever added. It counts where it is of this database, and nothing of it is gone from there. */
export const cameAfter = ({ database, keys }: KeysStored, before: Collected | undefined): KeysWaiting =>
  before?.database === database && before.stored <= keys
    ? { keys: keys - before.stored, since: before.began }
    : { keys };
