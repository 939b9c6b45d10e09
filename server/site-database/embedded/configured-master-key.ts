import { EndpointError } from "../../errors.ts";
import { ownSecret } from "../../files/judge.ts";
import { readTrustedSync } from "../../files/trusted-file.ts";
import { Secret } from "../../secret.ts";
import type { EmbeddedSite } from "./configuration.ts";
import type { MasterKeySource } from "./master-key.ts";

/**
 * Where the embedded site database's master key comes from, as configured. A key file is opened by the adapter; a password
 * is read here, from the first line of its file (a systemd credential, say), never from an argument or the environment.
 */
export const readMasterKey = ({ masterKey }: Pick<EmbeddedSite, "masterKey">): MasterKeySource => {
  if ("file" in masterKey) return { kind: "file", path: masterKey.file };
  const path = masterKey.passwordFile;
  const text = readTrustedSync(path, ownSecret("master key's password file")).toString("utf8");
  const [password = ""] = text.split(/\r?\n/);
  if (password === "") throw new EndpointError("InvalidArgument", `${path} has no password in its first line.`);
  return { kind: "password", password: new Secret(password) };
};
