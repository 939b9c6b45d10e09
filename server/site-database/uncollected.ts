import type { Collected, KeysStored } from "../command/site-database.ts";
import { plural } from "../model/plural.ts";

/** Whether what was collected is of this database, and nothing that was collected is gone from it. */
export const isCollectedFrom = ({ database, keys }: KeysStored, before: Collected | undefined): before is Collected =>
  before?.database === database && before.stored <= keys;

const howTo = "Collect them, and store them outside of this site: Get-RecoveryKeys -raw";

/** For people who may export every key, and for administrators; undefined where nothing waits. */
export const uncollectedInWords = (
  waiting: number,
  before: Pick<Collected, "began"> | undefined,
): string | undefined => {
  if (waiting === 0) return undefined;
  const since =
    before === undefined ? "Never collected" : `Newer than the last collection (${before.began.slice(0, 10)})`;
  return `${since}: ${plural(waiting, "key")}. ${howTo}`;
};

/** How many came after it, of keys that are only ever added; every one where nothing counts as collected. */
export const cameAfter = (now: KeysStored, before: Collected | undefined): number =>
  isCollectedFrom(now, before) ? now.keys - before.stored : now.keys;
