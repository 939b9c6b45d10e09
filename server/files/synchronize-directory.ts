import { open } from "node:fs/promises";

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
