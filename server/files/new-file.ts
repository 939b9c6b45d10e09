import { closeSync, existsSync, fsyncSync, linkSync, openSync, rmSync, writeSync } from "node:fs";

/**
 * Writes a file that is not there yet, whole or not at all: first under another name, then link(2), which never replaces.
 *
 * @returns false when the path existed; nothing was changed then
 */
export const writeNewFile = (path: string, content: string | Uint8Array, mode: number): boolean => {
  if (existsSync(path)) return false;
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
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(partial, { force: true });
  }
};
