import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  readdirSync,
  rmSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { open, unlink, type FileHandle } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { codeOf } from "../errors.ts";

/**
 * An empty file of ours under a name of ours, for what counts only once it is renamed, or not at all. What has the name, after a
 * crash say, is removed and never opened: a link would lead the writing elsewhere, and a pipe would hold it up.
 */
export const openFresh = async (path: string): Promise<FileHandle> => {
  await unlink(path).catch(ignoreMissing);
  return open(path, "wx+", 0o600);
};

/** As `openFresh`. @returns the descriptor */
export const openFreshSync = (path: string): number => {
  try {
    unlinkSync(path);
  } catch (error) {
    ignoreMissing(error);
  }
  return openSync(path, "wx+", 0o600);
};

const ignoreMissing = (error: unknown): void => {
  if (codeOf(error) !== "ENOENT") throw error;
};

/** A crash between the two names of `writeNewFile` leaves both, and a key with a second name is refused. */
const removeSecondNames = (path: string): void => {
  const { ino, dev, nlink } = lstatSync(path);
  if (nlink < 2) return;
  const begin = `${basename(path)}.new-`;
  for (const name of readdirSync(dirname(path)).filter((found) => found.startsWith(begin))) {
    const second = join(dirname(path), name);
    const found = lstatSync(second, { throwIfNoEntry: false });
    if (found?.ino === ino && found.dev === dev) rmSync(second, { force: true });
  }
};

/**
 * Writes a file that is not there yet, whole or not at all: first under another name, then link(2), which never replaces.
 *
 * @returns false when the path existed; nothing was changed then
 */
export const writeNewFile = (path: string, content: string | Uint8Array, mode: number): boolean => {
  if (existsSync(path)) {
    removeSecondNames(path);
    return false;
  }
  const partial = `${path}.new-${process.pid}`;
  const fd = openSync(partial, "wx", mode);
  try {
    const bytes = typeof content === "string" ? Buffer.from(content) : content;
    let written = 0;
    while (written < bytes.length) written += writeSync(fd, bytes, written);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  try {
    linkSync(partial, path);
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(partial, { force: true });
  }
};
