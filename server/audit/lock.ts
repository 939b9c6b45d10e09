import { readFileSync, writeFileSync } from "node:fs";
import { EndpointError } from "../errors.ts";
import { takeFileLock } from "../files/file-lock.ts";

const readHolder = (path: string): string => {
  try {
    return readFileSync(path, "utf8").trim();
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
  writeFileSync(holderPath, `${process.pid}\n`, { mode: 0o600 });
  return release;
};
