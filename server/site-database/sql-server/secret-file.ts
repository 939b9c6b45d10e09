import { open } from "node:fs/promises";
import { join } from "node:path";
import { EndpointError } from "../../errors.ts";
import type { Places, SecretSource } from "./configuration.ts";

const longestSecret = 64 * 1024;

/** For the log: which file, and what is wrong with it. */
const unusable = (what: string, cause?: unknown): EndpointError =>
  new EndpointError("ResourceUnavailable", "The site database is not available.", {
    cause: new Error(what, { cause }),
  });

const pathOf = (source: SecretSource, places: Places): string => {
  if ("file" in source) return places.resolvePath(source.file);
  if (places.credentialsDirectory === undefined)
    throw unusable(`the credential ${source.credential} can't be read: systemd gave no credentials directory`);
  return join(places.credentialsDirectory, source.credential);
};

/**
 * The first line of a secret's file. Read anew for each connection, so that a changed password needs no restart; kept
 * nowhere but in the driver's settings of that connection.
 */
export const readSecret = async (source: SecretSource, places: Places): Promise<string> => {
  const path = pathOf(source, places);
  const handle = await open(path, "r").catch((error: unknown) => {
    throw unusable(`${path} can't be read`, error);
  });
  try {
    // Of the open file, not of the name: it can't be exchanged between look and read.
    const { mode, size } = await handle.stat();
    if (process.platform !== "win32" && (mode & 0o026) !== 0)
      throw unusable(`${path} may be read by others or written by its group; run: chmod 600 ${path}`);
    if (size > longestSecret) throw unusable(`${path} is too long for a password`);
    const [line = ""] = (await handle.readFile("utf8")).split(/\r?\n/, 1);
    if (line === "") throw unusable(`${path} is empty`);
    return line;
  } finally {
    await handle.close();
  }
};
