import { randomFillSync } from "node:crypto";
import { closeSync, lstatSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { openFreshSync } from "../files/new-file.ts";
import { codeOf } from "../errors.ts";

const blockBytes = 1024 * 1024;
const mostBytes = 16 * 1024 * 1024;
/** Of the reserve: enough to end every session, and to prune one segment, whose hashes need a tenth of its size. */
const share = 1 / 16;

/**
 * A file that holds space only to give it up when the disk is full, so that the ends of sessions and a pruning can still be
 * put on the record. The reserve does the same as long as nobody else fills the disk; this is for when somebody does.
 */
export interface RescueSpace {
  /** Makes it where it is missing or too small. @throws Error when there is no room for it */
  make(reserveBytes: number): void;
  /** @returns whether there was any to give up */
  giveUp(): boolean;
}

export const rescueSpaceIn = (auditDirectory: string): RescueSpace => {
  const path = join(auditDirectory, "rescue-space");
  return {
    make(reserveBytes) {
      const bytes = Math.min(mostBytes, Math.floor(reserveBytes * share));
      const found = lstatSync(path, { throwIfNoEntry: false });
      if (found?.isFile() === true && found.size >= bytes) return;
      // Random: a file system that compresses would keep zeros in no space at all, and a hole is none anywhere.
      const block = randomFillSync(Buffer.allocUnsafe(Math.min(blockBytes, bytes)));
      const fd = openFreshSync(path);
      try {
        for (let written = 0; written < bytes;) {
          written += writeSync(fd, block, 0, Math.min(block.length, bytes - written));
        }
      } catch (error) {
        rmSync(path, { force: true });
        throw error;
      } finally {
        closeSync(fd);
      }
    },
    giveUp() {
      if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return false;
      rmSync(path, { force: true });
      return true;
    },
  };
};

/** No space left, or the account's quota of it. */
export const isFull = (error: unknown): boolean => ["ENOSPC", "EDQUOT"].includes(codeOf(error) ?? "");
