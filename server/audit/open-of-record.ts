import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";

/** A link is not followed, and a FIFO that nobody writes to is not waited for. */
export const ofRecord = constants.O_NOFOLLOW | constants.O_NONBLOCK;

const blockBytes = 256 * 1024;

const irregular = (path: string): Error => new Error(`${path} is no regular file`);

/**
 * Opens a file of the record for reading. What the server writes is a regular file: a link may lead to a device that never ends,
 * and opening a FIFO waits for a writer that never comes.
 *
 * @returns its descriptor, and its length now: nobody reads on for longer than that, whatever is appended meanwhile
 * @throws Error when it is something else than a regular file
 */
export const openOfRecord = (path: string): { readonly fd: number; readonly bytes: number } => {
  const fd = openSync(path, constants.O_RDONLY | ofRecord);
  try {
    const found = fstatSync(fd);
    if (!found.isFile()) throw irregular(path);
    return { fd, bytes: found.size };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
};

/** The same, for whoever reads it a block at a time. */
export const openFileOfRecord = async (path: string): Promise<FileHandle> => {
  const file = await open(path, constants.O_RDONLY | ofRecord);
  try {
    if (!(await file.stat()).isFile()) throw irregular(path);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
};

/** The whole of a small file of the record. */
export const readTextOfRecord = (path: string): string => {
  const { fd } = openOfRecord(path);
  try {
    return readFileSync(fd, "utf8");
  } finally {
    closeSync(fd);
  }
};

/**
 * SHA-256 of a file of the record, hexadecimal.
 *
 * @param expected its length, where the log says it. A file of another is not read: it may be made endless
 * @returns an empty text for a file of another length
 */
export const digestOfRecord = (path: string, expected?: number): string => {
  const hash = createHash("sha256");
  const { fd, bytes } = openOfRecord(path);
  try {
    if (expected !== undefined && bytes !== expected) return "";
    const block = Buffer.allocUnsafe(blockBytes);
    for (let left = bytes; left > 0;) {
      const length = readSync(fd, block, 0, Math.min(left, block.length), null);
      if (length === 0) break;
      hash.update(block.subarray(0, length));
      left -= length;
    }
    return hash.digest("hex");
  } finally {
    closeSync(fd);
  }
};

/** The same; an empty text where it is no regular file, or not there. */
export const digestOrNone = (path: string): string => {
  try {
    return digestOfRecord(path);
  } catch {
    return ""; // fits no digest
  }
};
