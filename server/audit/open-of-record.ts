import { closeSync, constants, fstatSync, openSync } from "node:fs";

/**
 * Opens a file of the record for reading. What the server writes is a regular file: a link may lead to a device that never ends,
 * and opening a FIFO waits for a writer that never comes.
 *
 * @returns its descriptor, and its length now: nobody reads on for longer than that, whatever is appended meanwhile
 * @throws Error when it is something else than a regular file
 */
export const openOfRecord = (path: string): { readonly fd: number; readonly bytes: number } => {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const found = fstatSync(fd);
    if (!found.isFile()) throw new Error("it is no regular file");
    return { fd, bytes: found.size };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
};
