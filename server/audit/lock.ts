import { closeSync, writeSync } from "node:fs";
import { join } from "node:path";
import { EndpointError } from "../errors.ts";
import { takeFileLock } from "../files/file-lock.ts";
import { openFreshSync } from "../files/new-file.ts";
import { readTextOfRecord } from "./open-of-record.ts";

/** The lock of a folder that holds `log/`. */
export const lockIn = (directory: string): string => join(directory, "log.lock");

/** Of the process that has or had the lock, as text; empty where it is not known. */
export const holderOf = (lock: string): string => {
  try {
    return readTextOfRecord(`${lock}-holder`).trim();
  } catch {
    return "";
  }
};

/**
 * Takes the log's lock: one process appends, so that the lines have one order. The file stays; what counts is who holds it open.
 *
 * @returns a function that gives the lock back
 * @throws EndpointError ResourceExists naming the process that holds it
 */
export const takeLock = (path: string): (() => void) => {
  const release = takeFileLock(path);
  if (release === undefined) {
    const holder = holderOf(path);
    throw new EndpointError(
      "ResourceExists",
      `This data directory is in use${holder === "" ? "" : ` by process ${holder}`}: another server or import runs on it.`,
    );
  }
  // For people only: the lock itself is the kernel's.
  const holder = openFreshSync(`${path}-holder`);
  writeSync(holder, `${process.pid}\n`);
  closeSync(holder);
  return release;
};
