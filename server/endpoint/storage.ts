import { statfsSync } from "node:fs";
import type { EventLog } from "../audit/event.ts";
import { rescueSpaceIn } from "../audit/rescue-space.ts";
import { watchStorage, type StorageLadder } from "../audit/storage-ladder.ts";
import type { Runtime } from "../runtime.ts";

/** What this account may still write: a file system keeps some blocks for root. */
export const freeBytesIn = (directory: string): number => {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
};

/** The ladder of a server's record, and the space it keeps to give up when somebody else fills the disk. */
export const startStorageLadder = (
  auditDirectory: string,
  reserveBytes: number,
  log: EventLog,
  runtime: Runtime,
): StorageLadder => {
  const rescueSpace = rescueSpaceIn(auditDirectory);
  const keepSpace = (): void => {
    try {
      rescueSpace.make(reserveBytes);
    } catch (error) {
      runtime.report(`no space could be kept for rescue: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const ladder = watchStorage({
    reserveBytes,
    freeBytes: () => freeBytesIn(auditDirectory),
    log,
    runtime,
    onSufficient: keepSpace,
  });
  if (ladder.look() === "sufficient") keepSpace();
  return ladder;
};
