import { createPrivateKey, type KeyObject } from "node:crypto";
import { EndpointError } from "../errors.ts";
import { ownSecret } from "../files/judge.ts";
import { readTrustedSync } from "../files/trusted-file.ts";

/** A key that `pep` made. @throws UntrustedFile */
export const readPrivateKey = (path: string, name: string): string =>
  readTrustedSync(path, ownSecret(name, "pep init makes one")).toString("utf8");

/** The key that signs the log's checkpoints: Ed25519, PKCS #8 in PEM. */
export const readLogKey = (path: string): KeyObject => {
  const pem = readPrivateKey(path, "log key");
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    // No cause: OpenSSL's text may quote what it read.
    throw new EndpointError("InvalidArgument", `The log key ${path} is not a private key in PEM.`);
  }
  if (key.asymmetricKeyType !== "ed25519") {
    throw new EndpointError("InvalidArgument", `The log key ${path} must be Ed25519.`);
  }
  return key;
};
