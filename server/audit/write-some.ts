import { writeSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";

/**
 * A few lines go into the page cache at once, which costs less than the way through the thread pool and back (measured: an
 * append by one writer took twice as long). A large group could be made to wait there for the disk, and the event loop with it.
 */
const mostWrittenAtOnce = 64 * 1024;

/** Writes `bytes` from `from` on at the place `at` of the file. @returns how many bytes were taken, which may be fewer */
export const writeSome = async (file: FileHandle, bytes: Buffer, from: number, at: number): Promise<number> => {
  const left = bytes.length - from;
  if (bytes.length <= mostWrittenAtOnce) return writeSync(file.fd, bytes, from, left, at);
  return (await file.write(bytes, from, left, at)).bytesWritten;
};
