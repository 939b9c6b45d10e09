import { createPrivateKey, type KeyObject } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { EndpointError } from "../errors.ts";

/** @throws EndpointError when the key can be read by others or not at all */
export const readPrivateKey = (path: string, name: string): string => {
  try {
    if ((statSync(path).mode & 0o077) !== 0) {
      throw new EndpointError("InvalidArgument", `The ${name} may be read by others; run: chmod 600 ${path}`);
    }
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof EndpointError) throw error;
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    throw new EndpointError("ResourceUnavailable", `The ${name} ${path} can't be read (${code}).`, { cause: error });
  }
};

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
