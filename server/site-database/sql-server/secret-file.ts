import { join } from "node:path";
import { EndpointError } from "../../errors.ts";
import { mountedSecret } from "../../files/judge.ts";
import { readTrusted } from "../../files/trusted-file.ts";
import type { Places, SecretSource } from "./configuration.ts";

/** For the log: which file, and what is wrong with it. */
const unusable = (what: string): EndpointError =>
  new EndpointError("ResourceUnavailable", "The site database is not available.", {
    cause: new Error(what),
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
  const bytes = await readTrusted(path, mountedSecret("password file", "group")).catch((error: unknown) => {
    throw new EndpointError("ResourceUnavailable", "The site database is not available.", { cause: error });
  });
  const [line = ""] = bytes.toString("utf8").split(/\r?\n/, 1);
  if (line === "") throw unusable(`${path} is empty`);
  return line;
};
