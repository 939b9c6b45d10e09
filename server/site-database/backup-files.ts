import { createHash } from "node:crypto";
import { lstat, open, readFile, realpath, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { codeOf, EndpointError } from "../errors.ts";
import { ownFile, ownSecret } from "../files/judge.ts";
import { synchronizeDirectory } from "../files/replace-file.ts";
import { readTrusted, UntrustedFile } from "../files/trusted-file.ts";
import { liesIn } from "../files/way.ts";
import type { CertificateBackup } from "../command/site-database.ts";

export interface BackupFile {
  readonly fileName: string;
  readonly bytes: Uint8Array;
}

const namePattern = /^[A-Za-z0-9_-]{1,64}$/;
/** Names that are devices on Windows, with any extension. */
const devicePattern = /^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])$/i;

/** Throws `InvalidArgument` unless the name can only ever be a plain file of the backup directory. */
export const checkBackupName = (name: string): void => {
  if (!namePattern.test(name) || devicePattern.test(name))
    throw new EndpointError(
      "InvalidArgument",
      "The name of a backup must have 1 to 64 letters, digits, underscores and hyphens, and not be a device's.",
    );
};

/** The path with every symbolic link followed; where its end does not exist yet, that of the part that does. */
const realPathOf = async (path: string): Promise<string> => {
  const absolute = resolve(path);
  try {
    return await realpath(absolute);
  } catch (error) {
    if (codeOf(error) !== "ENOENT" || dirname(absolute) === absolute) throw error;
    return join(await realPathOf(dirname(absolute)), basename(absolute));
  }
};

/**
 * Throws unless the backup directory lies outside the data directory: a backup beside the database is lost with it, and
 * whoever takes the data directory would take the key of every cell with it.
 */
export const checkIsOutside = async (backupDirectory: string, dataDirectory: string): Promise<void> => {
  const [backup, own] = await Promise.all([realPathOf(backupDirectory), realPathOf(dataDirectory)]);
  if (liesIn(own, backup))
    throw new EndpointError("ResourceUnavailable", "The backup directory must lie outside the data directory.", {
      cause: new Error(`${backup} lies in ${own}`),
    });
};

const notWritable = (cause: unknown): EndpointError =>
  new EndpointError("ResourceUnavailable", "The backup directory can't be used; the log says why.", { cause });

/** Finds the directory's real path. Never made here: a share that is not mounted must not become a local folder. */
const findDirectory = async (path: string): Promise<string> => {
  try {
    const real = await realpath(path);
    const found = await lstat(real);
    if (!found.isDirectory()) throw new Error(`${real} is not a directory`);
    // Where others may write, they may rename our file away and put theirs in its place, unless the sticky bit is set.
    if (process.platform !== "win32" && (found.mode & 0o022) !== 0 && (found.mode & 0o1000) === 0)
      throw new Error(`${real} may be written by others (mode ${(found.mode & 0o777).toString(8)})`);
    return real;
  } catch (error) {
    throw notWritable(error);
  }
};

const alreadyThere = (fileName: string, cause?: unknown): EndpointError =>
  new EndpointError("ResourceExists", `${fileName} is already there. Choose another name.`, { cause });

/** Throws `ResourceExists` early, before the costly encryption; `wx` below is what really keeps a file from harm. */
export const checkAreFree = async (directory: string, fileNames: readonly string[]): Promise<void> => {
  const real = await findDirectory(directory);
  for (const fileName of fileNames) {
    const found = await lstat(join(real, fileName)).catch(() => undefined);
    if (found !== undefined) throw alreadyThere(fileName);
  }
};

/** `wx` is O_CREAT | O_EXCL: it fails on anything that has the name, a symbolic link that leads nowhere included. */
const writeNew = async (path: string, file: BackupFile, onCreated: () => void): Promise<void> => {
  const handle = await open(path, "wx", 0o600).catch((error: unknown) => {
    throw codeOf(error) === "EEXIST" ? alreadyThere(file.fileName, error) : notWritable(error);
  });
  onCreated();
  try {
    await handle.writeFile(file.bytes);
    await handle.sync();
  } catch (error) {
    throw notWritable(error);
  } finally {
    await handle.close();
  }
};

/**
 * Writes new files, durably, then lets `verify` look at what the disk gives back; all of them stay or none.
 * @param verify gets the files as read again, in order; when it throws, every file is removed
 */
export const writeBackupFiles = async (
  directory: string,
  files: readonly BackupFile[],
  verify: (written: readonly Uint8Array[]) => Promise<void>,
): Promise<CertificateBackup["files"]> => {
  const real = await findDirectory(directory);
  const created: string[] = [];
  try {
    for (const file of files) {
      const path = join(real, file.fileName);
      await writeNew(path, file, () => void created.push(path));
    }
    await synchronizeDirectory(real);
    await verify(await Promise.all(created.map((path) => readFile(path))));
    return files.map(({ fileName, bytes }) => ({
      fileName,
      bytes: bytes.length,
      sha256: createHash("sha256").update(bytes).digest("hex"),
    }));
  } catch (error) {
    // Only files made by this call are in the list, so this can't remove anybody else's.
    await Promise.all(created.map((path) => rm(path, { force: true })));
    throw error instanceof EndpointError ? error : notWritable(error);
  }
};

/** Far above any certificate: a file this long is something else. */
const longestCertificate = 64 * 1024;

const notUsable = (fileName: string, cause: UntrustedFile): EndpointError =>
  new EndpointError("ResourceUnavailable", `${fileName} can't be used as a backup; the log says why.`, { cause });

/**
 * Reads one file of a backup. A private key that others may read is refused, as one that they know: backup-cert writes 0600, so
 * somebody opened it up.
 */
const readOne = async (directory: string, fileName: string): Promise<Uint8Array> => {
  const what = "backup file";
  const path = join(directory, fileName);
  try {
    return await readTrusted(path, fileName.endsWith(".cer") ? ownFile(what, longestCertificate) : ownSecret(what));
  } catch (cause) {
    if (!(cause instanceof UntrustedFile)) throw cause;
    throw cause.isMissing
      ? new EndpointError("ObjectNotFound", `${fileName} is not in the backup directory.`, { cause })
      : notUsable(fileName, cause);
  }
};

/** Reads files of a backup, in order. Throws `ObjectNotFound` for one that is missing. */
export const readBackupFiles = async (
  directory: string,
  fileNames: readonly string[],
): Promise<readonly Uint8Array[]> => {
  const real = await findDirectory(directory);
  const files: Uint8Array[] = [];
  for (const fileName of fileNames) files.push(await readOne(real, fileName));
  return files;
};
