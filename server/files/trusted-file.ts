import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  readSync,
  statSync,
  type Stats,
} from "node:fs";
import { lstat, open, readlink } from "node:fs/promises";
import { resolve } from "node:path";
import { codeOf, EndpointError } from "../errors.ts";
import { hasOwners, whyFolderOpen, whyNoFile, whyUntrusted, type FileRule } from "./judge.ts";
import { walk, type Look, type Way } from "./way.ts";

/** A file that is missing, can't be read, or that somebody else could have written or read. */
export class UntrustedFile extends EndpointError {
  /** For lists of problems: begins in lower case, ends with the command that mends it where there is one. */
  readonly why: string;
  readonly isMissing: boolean;

  constructor({ what, missing }: Pick<FileRule, "what" | "missing">, path: string, cause: unknown) {
    const isMissing = codeOf(cause) === "ENOENT";
    const why = isMissing && missing !== undefined ? `it is missing; ${missing}` : whyOf(cause);
    super(
      isMissing ? "ObjectNotFound" : "ResourceUnavailable",
      `The ${what} ${path} can't be used: ${why}`,
      // Of a file that is not there, the system's words say nothing new; of a link that leads nowhere they name its end.
      codeOf(cause) === undefined || (isMissing && pathOf(cause) === resolve(path)) ? undefined : { cause },
    );
    this.name = "UntrustedFile";
    this.why = why;
    this.isMissing = isMissing;
  }
}

const pathOf = (error: unknown): string | undefined =>
  error instanceof Error && "path" in error ? String(error.path) : undefined;

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "it is missing",
  EACCES: "this account may not read it",
  // It was exchanged after it was looked at: O_NOFOLLOW and O_NONBLOCK say so.
  ELOOP: "it became a symbolic link while it was looked at",
  ENXIO: "it is a socket, not a regular file",
};

const whyOf = (cause: unknown): string => {
  const code = codeOf(cause);
  if (code !== undefined) return reasons[code] ?? `it can't be read (${code})`;
  return cause instanceof Error ? cause.message : String(cause);
};

/**
 * The handle is judged, not the name: whatever stood there a moment ago is not what is read. Nothing here waits for another program,
 * and no terminal becomes ours.
 */
const flags =
  constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

/** What was opened must be what the walk ended at: else a folder on the way was exchanged in between. */
const whyExchanged = (opened: Stats, { stats }: Way): string | undefined =>
  hasOwners && (opened.ino !== stats.ino || opened.dev !== stats.dev)
    ? "it was exchanged while it was looked at; try again"
    : undefined;

const refuse = (why: string | undefined): void => {
  if (why !== undefined) throw new Error(why);
};

/** Of a file that is being written in place nobody knows which half this is. */
const wholeOf = (bytes: Buffer, read: number): Buffer => {
  if (read !== bytes.length - 1) {
    bytes.fill(0);
    throw new Error("it changed while it was read; try again");
  }
  return bytes.subarray(0, read);
};

/** One more than there should be, so that growing is seen. Memory of its own: a caller that zeroes a key zeroes all of it. */
const roomFor = ({ size }: Stats): Buffer => Buffer.alloc(size + 1);

const lookSync = (path: string): Look => {
  const stats = lstatSync(path);
  return { stats, target: stats.isSymbolicLink() ? readlinkSync(path) : undefined };
};

const look = async (path: string): Promise<Look> => {
  const stats = await lstat(path);
  return { stats, target: stats.isSymbolicLink() ? await readlink(path) : undefined };
};

const walkSync = (path: string, rule: FileRule): Way => {
  const steps = walk(path, rule);
  let step = steps.next();
  while (step.done !== true) step = steps.next(lookSync(step.value));
  return step.value;
};

const walkAsync = async (path: string, rule: FileRule): Promise<Way> => {
  const steps = walk(path, rule);
  let step = steps.next();
  while (step.done !== true) step = steps.next(await look(step.value));
  return step.value;
};

const openSyncTrusted = (path: string, rule: FileRule): Buffer => {
  const way = hasOwners ? walkSync(path, rule) : { path, stats: lstatSync(path), holder: undefined };
  refuse(whyNoFile(way.stats));
  const file = openSync(way.path, flags);
  try {
    const stats = fstatSync(file);
    refuse(whyExchanged(stats, way) ?? whyUntrusted(path, stats, rule, way.holder));
    const bytes = roomFor(stats);
    let read = 0;
    for (let more = -1; more !== 0 && read < bytes.length; read += more) {
      more = readSync(file, bytes, read, bytes.length - read, read);
    }
    return wholeOf(bytes, read);
  } finally {
    closeSync(file);
  }
};

const openAsyncTrusted = async (path: string, rule: FileRule): Promise<Buffer> => {
  const way = hasOwners ? await walkAsync(path, rule) : { path, stats: await lstat(path), holder: undefined };
  refuse(whyNoFile(way.stats));
  const file = await open(way.path, flags);
  try {
    const stats = await file.stat();
    refuse(whyExchanged(stats, way) ?? whyUntrusted(path, stats, rule, way.holder));
    const bytes = roomFor(stats);
    let read = 0;
    for (let more = -1; more !== 0 && read < bytes.length; read += more) {
      more = (await file.read(bytes, read, bytes.length - read, read)).bytesRead;
    }
    return wholeOf(bytes, read);
  } finally {
    await file.close();
  }
};

/**
 * All of a file that may be trusted. A pipe, a socket or a device in its place is refused at once and never waited for.
 * For what is read at a start, or is small and on a disk of this machine.
 *
 * @throws UntrustedFile
 */
export const readTrustedSync = (path: string, rule: FileRule): Buffer => {
  try {
    return openSyncTrusted(path, rule);
  } catch (cause) {
    throw new UntrustedFile(rule, path, cause);
  }
};

/** As `readTrustedSync`, for a running server: a share that does not answer keeps nobody else waiting. @throws UntrustedFile */
export const readTrusted = async (path: string, rule: FileRule): Promise<Buffer> => {
  try {
    return await openAsyncTrusted(path, rule);
  } catch (cause) {
    throw new UntrustedFile(rule, path, cause);
  }
};

/**
 * Refuses a folder in which somebody else may make or exchange a file. `links`: whether the folder may be one itself.
 *
 * @throws UntrustedFile
 */
export const refuseOpenFolder = (path: string, { what, links }: Pick<FileRule, "what" | "links">): void => {
  try {
    const stats = links === "refused" ? lstatSync(path) : statSync(path);
    if (!stats.isDirectory()) throw new Error(stats.isSymbolicLink() ? "it is a symbolic link" : "it is not a folder");
    refuse(whyFolderOpen(path, stats));
  } catch (cause) {
    throw new UntrustedFile({ what }, path, cause);
  }
};

/** Why a file or a line can't be used, for the operator. */
export const whyUnusable = (error: unknown): string => {
  if (error instanceof UntrustedFile) return error.why;
  const code = codeOf(error);
  if (code !== undefined) return `it can't be read (${code})`;
  return error instanceof Error ? error.message : String(error);
};
