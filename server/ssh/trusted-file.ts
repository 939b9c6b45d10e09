import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import type { Stats } from "node:fs";

/** Why a file or folder can't be trusted. Windows has no mode bits; there the folder's ACL is the administrator's part. */
export const distrust = (stats: Stats): string | undefined => {
  if (process.platform === "win32") return undefined;
  if ((stats.mode & 0o022) !== 0) return "group or others may write it; run chmod go-w on it";
  const own = process.geteuid?.();
  if (stats.uid !== 0 && stats.uid !== own) return `it belongs to user id ${stats.uid}, not to this server or root`;
  return undefined;
};

/** The whole of a file that may be trusted; opened once, so that what was checked is what is read. */
export const readTrusted = (path: string, largestBytes: number): Buffer => {
  // A pipe in its place would keep the server waiting for its other end.
  const file = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  try {
    const stats = fstatSync(file);
    if (!stats.isFile()) throw new Error("it is not a file");
    const why = distrust(stats);
    if (why !== undefined) throw new Error(why);
    if (stats.size > largestBytes) throw new Error(`it is larger than ${largestBytes} bytes`);
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
};

/** Why a file can't be used, for the operator. */
export const explain = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  if (!("code" in error)) return error.message;
  if (error.code === "ENOENT") return "it is missing";
  return error.code === "ELOOP" ? "it is a symbolic link" : `it can't be read (${String(error.code)})`;
};
