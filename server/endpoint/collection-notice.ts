import type { Collection } from "../audit/collections.ts";
import type { VisibleCommands } from "../authorization/contract.ts";
import type { KeysWaiting, SiteDatabase } from "../command/site-database.ts";
import { orLate } from "../or-late.ts";
import { uncollectedInWords } from "../site-database/uncollected.ts";

interface NoticeParts {
  readonly siteDatabase: Pick<SiteDatabase, "keysSince">;
  /** The last one on the record. */
  readonly collection: () => Collection | undefined;
  readonly uptimeMs: () => number;
}

/** A count is asked for again after this; log-ins in between are told the same. */
const freshMs = 60_000;
/** Nobody waits longer to be let in; a site database that is away is no reason to wait. */
const longestWaitMs = 1_000;
const longestCountMs = 30_000;

/** What a collection is, with a reason and without: a role may demand one of those that the command suggests, or not take one. */
const collecting = ["Get-RecoveryKeys -raw", "Get-RecoveryKeys -raw -Reason Other"];

/** Whether this user's role lets them export every key, with or without approval. */
const mayCollect = ({ bindIfAllowed }: VisibleCommands): boolean =>
  collecting.some((line) => {
    const bound = bindIfAllowed(line);
    if (bound === undefined) return false;
    return [bound.keyBounds, bound.maxRows, bound.disclosuresPerHour].every((limit) => limit === undefined);
  });

/** @returns says, to people who may export every key, how many came after the last collection; undefined where none did */
export const createCollectionNotice = ({
  siteDatabase,
  collection,
  uptimeMs,
}: NoticeParts): ((visible: VisibleCommands) => Promise<string | undefined>) => {
  let last:
    | { readonly atMs: number; readonly of: Collection | undefined; readonly waiting: Promise<KeysWaiting> }
    | undefined;
  const countNow = (of: Collection | undefined): Promise<KeysWaiting> => {
    const nowMs = uptimeMs();
    if (last === undefined || last.of !== of || nowMs - last.atMs >= freshMs) {
      const waiting = siteDatabase.keysSince(of, AbortSignal.timeout(longestCountMs));
      last = { atMs: nowMs, of, waiting };
    }
    return last.waiting;
  };
  return async (visible) => {
    if (!mayCollect(visible)) return undefined;
    // A database that is away says so to the first command.
    const waiting = await orLate(
      countNow(collection()).catch(() => undefined),
      longestWaitMs,
    );
    return waiting === undefined ? undefined : uncollectedInWords(waiting);
  };
};
