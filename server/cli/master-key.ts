import { readFileSync, statSync } from "node:fs";
import type { EmbeddedSite } from "../configuration.ts";
import { EndpointError } from "../errors.ts";
import { Secret } from "../secret.ts";
import type { MasterKeySource } from "../site-database/embedded/index.ts";

/**
 * Where the embedded site database's master key comes from, as configured. A key file is opened by the adapter; a password
 * is read here, from the first line of its file (a systemd credential, say), never from an argument or the environment.
 */
export const readMasterKey = ({ masterKey }: Pick<EmbeddedSite, "masterKey">): MasterKeySource => {
  if ("file" in masterKey) return { kind: "file", path: masterKey.file };
  const path = masterKey.passwordFile;
  try {
    if ((statSync(path).mode & 0o077) !== 0) {
      throw new EndpointError(
        "InvalidArgument",
        `The master key's password file may be read by others; run: chmod 600 ${path}`,
      );
    }
    const [password = ""] = readFileSync(path, "utf8").split(/\r?\n/);
    if (password === "") throw new EndpointError("InvalidArgument", `${path} has no password in its first line.`);
    return { kind: "password", password: new Secret(password) };
  } catch (error) {
    if (error instanceof EndpointError) throw error;
    throw new EndpointError("ResourceUnavailable", `The master key's password file ${path} can't be read.`, {
      cause: error,
    });
  }
};
