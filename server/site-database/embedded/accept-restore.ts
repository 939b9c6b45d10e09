import { EndpointError } from "../../errors.ts";
import type { SiteState } from "../../audit/site-events.ts";
import { decodeInteger } from "./columns.ts";
import { longTransaction, prepareArrays } from "./connection.ts";
import { unlockDatabase } from "./database.ts";
import type { UnlockedDatabase } from "./database.ts";
import { checkStructure } from "./examine-set.ts";
import { asEndpointError } from "./failures.ts";
import { judgeRows, judgeSet } from "./judge-set.ts";
import type { SetRefusal } from "./judge-set.ts";
import type { MasterKeySource } from "./master-key.ts";
import { prepareSealed, writeSealed } from "./row-set.ts";
import { walkRowsInTurns } from "./walk-rows.ts";
import type { RowsWalked } from "./walk-rows.ts";

/** What was found, before anybody accepts it. */
export interface RestoreFound {
  /** Absent: the rows are those that the record knows. */
  readonly refusal?: SetRefusal;
  /** Of rows whose own digest is wrong: they can't be accepted, and stay refused. */
  readonly wrongRows: number;
  readonly firstWrong?: string;
  readonly keys: number;
  readonly links: number;
}

interface RestoreAccepted {
  readonly state: SiteState;
  readonly refusal: SetRefusal;
  readonly wrongRows: number;
}

interface AcceptRestore {
  readonly file: string;
  readonly masterKey: MasterKeySource;
  readonly recorded: SiteState | undefined;
  /** Asks whether what was found is to be accepted; throws when it is not. */
  readonly confirm: (found: RestoreFound) => Promise<void>;
  /** Puts it on the record, before it counts. */
  readonly accepted: (accepted: RestoreAccepted) => Promise<void>;
}

const lockWaitMs = 5000;

interface Looked {
  readonly walked: RowsWalked;
  readonly refusal: SetRefusal | undefined;
}

/** Every row. Whether somebody wrote meanwhile is looked at afterwards. */
const lookAtAll = async (
  { database, digests, set }: UnlockedDatabase,
  recorded: SiteState | undefined,
  signal: AbortSignal,
): Promise<Looked> => {
  checkStructure(database);
  const sealed = prepareSealed(database)();
  const walked = await walkRowsInTurns({ database, digests, elementKey: set.elementKey }, signal);
  const verdict = judgeSet(set, sealed, recorded);
  return {
    walked,
    refusal: verdict.kind === "refused" ? verdict.refusal : judgeRows(set, { walked, sealed }, recorded),
  };
};

const dataVersion = ({ database }: UnlockedDatabase): number =>
  decodeInteger(prepareArrays(database, "PRAGMA data_version")()[0]?.[0], "data_version");

const acceptIn = async (
  unlocked: UnlockedDatabase,
  { recorded, confirm, accepted }: AcceptRestore,
  signal: AbortSignal,
): Promise<SiteState | undefined> => {
  const { database, set } = unlocked;
  const version = dataVersion(unlocked);
  const { walked, refusal } = await lookAtAll(unlocked, recorded, signal);
  const { keys, links, sum, wrong, first } = walked;
  await confirm({
    keys,
    links,
    wrongRows: wrong,
    ...(first === undefined ? {} : { firstWrong: first }),
    ...(refusal === undefined ? {} : { refusal }),
  });
  if (refusal === undefined) return undefined;
  return longTransaction(database, { signal, lockWaitMs }, async () => {
    if (dataVersion(unlocked) !== version)
      throw new EndpointError("ResourceUnavailable", "The site database was changed meanwhile. Nothing was accepted.");
    // After both, so that neither the record's state nor one that was written after it comes back.
    const counter = Math.max(recorded?.counter ?? 0, set.open(prepareSealed(database)())?.counter ?? 0) + 1;
    const state = { counter, keys, links, sum, before: recorded?.digest ?? "" };
    const shown = set.shown(state);
    // On the record first: a crash in between leaves the rows refused, and this is done again.
    await accepted({ state: shown, refusal, wrongRows: wrong });
    writeSealed(database, set.seal(state));
    return shown;
  });
};

/**
 * Makes the rows that are there those that the record knows, after the restore of a backup say. Every row's own digest is checked.
 *
 * @returns undefined where they were already
 * @throws EndpointError; then nothing was accepted
 */
export const acceptRestore = async (asked: AcceptRestore, signal: AbortSignal): Promise<SiteState | undefined> => {
  const unlocked = await unlockDatabase(asked.file, asked.masterKey, { signal, lockWaitMs });
  try {
    return await acceptIn(unlocked, asked, signal);
  } catch (error) {
    throw asEndpointError(error);
  } finally {
    unlocked.close();
  }
};
