import { randomBytes } from "node:crypto";
import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** A new or renamed file's name is durable only once its directory is (fsync(2), notes). Windows can't open directories, and NTFS journals names itself. */
export const synchronizeDirectory = async (directory: string): Promise<void> => {
  if (process.platform === "win32") return;
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
};

/** Renames, durably: after a power failure the new name counts. */
export const renameDurably = async (from: string, to: string): Promise<void> => {
  await rename(from, to);
  await synchronizeDirectory(dirname(to));
};

/**
 * Puts a new file in the place of the one that is there, if any: written aside, made durable, renamed, and the folder made durable.
 * Whatever stops it, a crash too, the file is the old one or the new one, whole. What a crash leaves aside begins with a dot.
 *
 * @param synchronize makes the content durable
 */
export const replaceFile = async (
  path: string,
  content: string | Uint8Array,
  synchronize: (file: FileHandle) => Promise<void> = (file) => file.sync(),
): Promise<void> => {
  const aside = join(dirname(path), `.${basename(path)}.${randomBytes(8).toString("hex")}`);
  try {
    const file = await open(aside, "wx", 0o600);
    try {
      await file.writeFile(content);
      await synchronize(file);
    } finally {
      await file.close();
    }
    await renameDurably(aside, path);
  } finally {
    await rm(aside, { force: true });
  }
};
