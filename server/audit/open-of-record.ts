import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { codeOf, stopped } from "../errors.ts";

/** A link is not followed, and a FIFO that nobody writes to is not waited for. */
const ofRecord = constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Hashing so much is no pause for anybody. */
const smallBlock = 256 * 1024;

/** Of a checkpoint, a key, the name of a process. */
const largestText = 64 * 1024;

/** A transcript has 4 GiB at most (`transcriptLimitMiB`), and its end comes on top. Whatever claims to be longer is none of ours. */
export const largestFile = 5 * 1024 ** 3;

/** FreeBSD has this name for it. */
const irregular = (path: string): Error => Object.assign(new Error(`${path} is no regular file`), { code: "EFTYPE" });

/** Whether opening failed because something else than a regular file stands there. */
export const isIrregular = (error: unknown): boolean => /^(?:EFTYPE|ELOOP|EISDIR|ENXIO)$/.test(codeOf(error) ?? "");

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

/**
 * The same, for whoever reads it a block at a time, or writes it.
 *
 * @param flags of open(2)
 */
export const openFileOfRecord = async (path: string, flags = constants.O_RDONLY): Promise<FileHandle> => {
  const file = await open(path, flags | ofRecord, 0o600);
  try {
    if (!(await file.stat()).isFile()) throw irregular(path);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
};

/** Blocks of an opened file; each is worth something only until the next one is read. */
export const blocksIn = function* (fd: number, bytes: number, blockBytes = smallBlock): Generator<Buffer> {
  const block = Buffer.allocUnsafe(blockBytes);
  for (let left = bytes; left > 0;) {
    const length = readSync(fd, block, 0, Math.min(left, block.length), null);
    if (length === 0) return;
    left -= length;
    yield block.subarray(0, length);
  }
};

/** The same, beside everybody else's work: a file system that hangs holds up nobody but who waits for the block. */
export const blocksInTurns = async function* (
  file: FileHandle,
  bytes: number,
  blockBytes = smallBlock,
): AsyncGenerator<Buffer> {
  const block = Buffer.allocUnsafe(blockBytes);
  for (let at = 0; at < bytes;) {
    const { bytesRead } = await file.read(block, 0, Math.min(bytes - at, block.length), at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield block.subarray(0, bytesRead);
  }
};

/** The whole of a small file of the record. @throws Error when it is larger than one can be */
export const readTextOfRecord = (path: string, largest = largestText): string => {
  const { fd, bytes } = openOfRecord(path);
  try {
    if (bytes > largest) throw new Error(`${path} is larger than such a file can be`);
    const text = Buffer.alloc(bytes);
    return text.toString("utf8", 0, readSync(fd, text, 0, bytes, null));
  } finally {
    closeSync(fd);
  }
};

/**
 * SHA-256 of a file of the record, hexadecimal.
 *
 * @param expected its length, where the log says it. A file of another is not read: it may be made endless
 * @returns an empty text for a file of another length, and for one that is larger than any
 */
export const digestOfRecord = (path: string, expected?: number): string => {
  const hash = createHash("sha256");
  const { fd, bytes } = openOfRecord(path);
  try {
    if (bytes !== (expected ?? bytes) || bytes > largestFile) return "";
    for (const block of blocksIn(fd, bytes)) hash.update(block);
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

/** The same as `digestOrNone`, beside everybody else's work. @throws EndpointError OperationStopped */
export const digestInTurns = async (path: string, stop: AbortSignal | undefined): Promise<string> => {
  const file = await openFileOfRecord(path).catch(() => undefined);
  if (file === undefined) return "";
  try {
    const { size } = await file.stat();
    if (size > largestFile) return "";
    const hash = createHash("sha256");
    for await (const block of blocksInTurns(file, size)) {
      if (stop?.aborted === true) throw stopped();
      hash.update(block);
    }
    return hash.digest("hex");
  } finally {
    await file.close();
  }
};
