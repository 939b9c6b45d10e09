import { setImmediate as nextTurn } from "node:timers/promises";
import { EndpointError } from "../../errors.ts";
import type { SiteRecord } from "../recovery-record.ts";
import type { SiteState } from "../../audit/site-events.ts";
import { withLockPatience } from "./connection.ts";
import type { LockPatience } from "./connection.ts";
import { unlockDatabase } from "./database.ts";
import type { UnlockedDatabase } from "./database.ts";
import { throwIfStopped, unavailable } from "./failures.ts";
import { afterRefusal, judgeSet, refusalInWords } from "./judge-set.ts";
import type { MasterKeySource } from "./master-key.ts";
import { mergeStaged } from "./merge-staged.ts";
import { writerName } from "./principals.ts";
import { prepareSealed } from "./row-set.ts";
import { createStaging, dropStaging } from "./stage-records.ts";

interface ImportOptions {
  /** Told the number of records read so far, now and then and at the end. */
  readonly onProgress: (count: number) => void;
  readonly signal: AbortSignal;
}

export interface ImportResult {
  /** Key protectors that were not known. */
  readonly added: number;
  /** Records of protectors known already, with the same password. What they add (a computer, a volume) is kept. */
  readonly unchanged: number;
  /** TPM password hashes that the file has, new or known. Absent where it has none. */
  readonly tpmPasswordHashes?: number;
}

interface RecoveryRecordWriter {
  /**
   * Imports one file of recovery data, all of it or nothing; a second time changes nothing.
   * Throws `ResourceExists` when a key id is known with another password: it is never overwritten.
   */
  importFile(records: AsyncIterable<SiteRecord>, options: ImportOptions): Promise<ImportResult>;
  close(): Promise<void>;
}

const batchRecords = 1000;
/** An import waits for another import; the server waits 5 s at most for either. */
const lockWaitMs = 60_000;

/** The record, for a process that may not be the one that writes it. */
export interface ImportRecord {
  readonly newest: () => Promise<SiteState | undefined>;
  readonly written: (state: SiteState) => Promise<void>;
}

interface Writing extends UnlockedDatabase {
  readonly record: ImportRecord;
}

/**
 * Nothing is written into rows that the record does not know: an older copy would overtake it. A state that a crash kept off the record, or
 * that another import is about to put there, gets there first.
 *
 * @returns the state of the rows, which is on the record
 */
const settle = async ({ database, set, record }: Writing, patience: LockPatience): Promise<SiteState> => {
  const recorded = await record.newest();
  const verdict = judgeSet(set, await withLockPatience(patience, prepareSealed(database)), recorded);
  if (verdict.kind === "refused")
    throw unavailable(
      `Nothing is imported. ${refusalInWords(verdict.refusal)} ${afterRefusal}`,
      verdict.refusal.reason,
    );
  if (verdict.kind === "next") await record.written(verdict.shown);
  return verdict.shown;
};

/** Another import may be first, again and again: each time there is one less. */
const mergeInTurn = async (writing: Writing, patience: LockPatience, checkOpens: () => void): Promise<number> => {
  for (;;) {
    const recorded = await settle(writing, patience);
    const merged = await withLockPatience(patience, () => mergeStaged({ ...writing, recorded, checkOpens }));
    if (merged === undefined) continue;
    if (merged.written !== undefined) await writing.record.written(merged.written);
    return merged.added;
  }
};

const importInto = async (
  unlocked: Writing,
  records: AsyncIterable<SiteRecord>,
  { onProgress, signal }: ImportOptions,
): Promise<ImportResult> => {
  const { database, access } = unlocked;
  const patience = { signal, lockWaitMs };
  try {
    await settle(unlocked, patience);
    const { stage, dataKey } = await withLockPatience(patience, () => {
      // Everything is made anew when a lock makes this run again.
      dropStaging(database);
      const key = access.dataKeyFor(writerName);
      const { fingerprintKey } = access;
      return { stage: createStaging({ database, dataKey: key, fingerprintKey, importedAt: Date.now() }), dataKey: key };
    });
    let [count, protectors, tpmPasswordHashes] = [0, 0, 0];
    let batch: SiteRecord[] = [];
    const stageBatch = async (): Promise<void> => {
      await withLockPatience(patience, () => stage(batch));
      count += batch.length;
      batch = [];
      onProgress(count);
      await nextTurn();
    };
    for await (const record of records) {
      batch.push(record);
      if ("protector" in record) protectors += 1;
      if (record.tpmPasswordHash !== undefined) tpmPasswordHashes += 1;
      if (batch.length === batchRecords) await stageBatch();
    }
    await stageBatch();
    // Asked again: a right taken away while the file was read must not write, nor a key that no cell is encrypted with any more.
    const added = await mergeInTurn(unlocked, patience, () => {
      const now = access.dataKeyFor(writerName);
      if (now !== dataKey && !(now !== undefined && dataKey?.equals(now)))
        throw unavailable(
          "The certificate was renewed while this file was read. Nothing was imported; import it again.",
          "staged with another data key",
        );
    });
    return { added, unchanged: protectors - added, ...(tpmPasswordHashes > 0 && { tpmPasswordHashes }) };
  } finally {
    dropStaging(database);
  }
};

const openForWriting = async (
  { file, masterKey, record }: Parameters<typeof openRecoveryRecordWriter>[0],
  patience: LockPatience,
): Promise<Writing> => {
  const unlocked = await unlockDatabase(file, masterKey, patience);
  return { ...unlocked, record };
};

/**
 * The way recovery data gets into the embedded site database; used by `pep import`, in a process of its own while the server
 * runs on the same file. Opens the file at the first import.
 */
export const openRecoveryRecordWriter = (site: {
  readonly file: string;
  readonly masterKey: MasterKeySource;
  readonly record: ImportRecord;
}): RecoveryRecordWriter => {
  let unlocked: Writing | undefined;
  let busy = false;
  return {
    importFile: async (records, options) => {
      if (busy) throw new EndpointError("InvalidResult", "One file is imported at a time.");
      busy = true;
      try {
        throwIfStopped(options.signal);
        unlocked ??= await openForWriting(site, { signal: options.signal, lockWaitMs });
        return await importInto(unlocked, records, options);
      } finally {
        busy = false;
      }
    },
    close: async () => {
      unlocked?.close();
      unlocked = undefined;
    },
  };
};
