import { setImmediate as nextTurn } from "node:timers/promises";
import { EndpointError } from "../../errors.ts";
import type { RecoveryRecord } from "../recovery-record.ts";
import { withLockPatience } from "./connection.ts";
import { unlockDatabase } from "./database.ts";
import type { UnlockedDatabase } from "./database.ts";
import { throwIfStopped } from "./failures.ts";
import type { MasterKeySource } from "./master-key.ts";
import { mergeStaged } from "./merge-staged.ts";
import { writerName } from "./principals.ts";
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
}

interface RecoveryRecordWriter {
  /**
   * Imports one file of recovery data, all of it or nothing; a second time changes nothing.
   * Throws `ResourceExists` when a key id is known with another password: it is never overwritten.
   */
  importFile(records: AsyncIterable<RecoveryRecord>, options: ImportOptions): Promise<ImportResult>;
  close(): Promise<void>;
}

const batchRecords = 1000;
/** An import waits for another import; the server waits 5 s at most for either. */
const lockWaitMs = 60_000;

const importInto = async (
  unlocked: UnlockedDatabase,
  records: AsyncIterable<RecoveryRecord>,
  { onProgress, signal }: ImportOptions,
): Promise<ImportResult> => {
  const { database, access } = unlocked;
  const patience = { signal, lockWaitMs };
  const fingerprintKey = unlocked.deriveKey("pep fingerprint 1");
  try {
    const stage = await withLockPatience(patience, () => {
      // Everything is made anew when a lock makes this run again.
      dropStaging(database);
      const dataKey = access.dataKeyFor(writerName);
      return createStaging({ database, dataKey, fingerprintKey, importedAt: Date.now() });
    });
    let count = 0;
    let batch: RecoveryRecord[] = [];
    const stageBatch = async (): Promise<void> => {
      await withLockPatience(patience, () => stage(batch));
      count += batch.length;
      batch = [];
      onProgress(count);
      await nextTurn();
    };
    for await (const record of records) {
      batch.push(record);
      if (batch.length === batchRecords) await stageBatch();
    }
    await stageBatch();
    // Asked again: a right taken away while the file was read must not write.
    await withLockPatience(patience, () => access.dataKeyFor(writerName));
    const added = await withLockPatience(patience, () => mergeStaged(database));
    return { added, unchanged: count - added };
  } finally {
    fingerprintKey.fill(0);
    dropStaging(database);
  }
};

/**
 * The way recovery data gets into the embedded site database; used by `pep import`, in a process of its own while the server
 * runs on the same file. Opens the file at the first import.
 */
export const openRecoveryRecordWriter = (site: {
  readonly file: string;
  readonly masterKey: MasterKeySource;
}): RecoveryRecordWriter => {
  let unlocked: UnlockedDatabase | undefined;
  let busy = false;
  return {
    importFile: async (records, options) => {
      if (busy) throw new EndpointError("InvalidResult", "One file is imported at a time.");
      busy = true;
      try {
        throwIfStopped(options.signal);
        unlocked ??= await unlockDatabase(site.file, site.masterKey, { signal: options.signal, lockWaitMs });
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
