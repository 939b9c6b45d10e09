import { closeSync, writeSync } from "node:fs";
import { EndpointError } from "../errors.ts";
import { takeFileLock } from "../files/file-lock.ts";
import { openFreshSync } from "../files/new-file.ts";
import { readTextOfRecord } from "./open-of-record.ts";

const readHolder = (path: string): string => {
  try {
    return readTextOfRecord(path).trim();
  } catch {
    return "";
  }
};

/**
 * Takes the log's lock: one process appends (design §9). The file stays; what counts is who holds it open.
 *
 * @returns a function that gives the lock back
 * @throws EndpointError ResourceExists naming the process that holds it
 */
export const takeLock = (path: string): (() => void) => {
  const release = takeFileLock(path);
  const holderPath = `${path}-holder`;
  if (release === undefined) {
    const holder = readHolder(holderPath);
    throw new EndpointError(
      "ResourceExists",
      `This data directory is in use${holder === "" ? "" : ` by process ${holder}`}: another server or import runs on it.`,
    );
  }
  // For people only: the lock itself is the kernel's.
  const holder = openFreshSync(holderPath);
  writeSync(holder, `${process.pid}\n`);
  closeSync(holder);
  return release;
};
