import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { EndpointError } from "../../errors.ts";
import { ownSecret } from "../../files/judge.ts";
import { readTrustedSync } from "../../files/trusted-file.ts";

export const sealingKeyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;

/** The key file, as `pep init` made it. The caller zeroes it. @throws EndpointError ResourceUnavailable, ObjectNotFound */
export const readSealingKey = (path: string): Buffer => {
  const key = readTrustedSync(path, ownSecret("second factors' key", "pep init makes one"));
  if (key.length === sealingKeyBytes) return key;
  key.fill(0);
  throw new EndpointError("ResourceUnavailable", `The second factors' key ${path} must have ${sealingKeyBytes} bytes.`);
};

/**
 * AES-256-GCM. `purpose` is bound to it without being kept: what was sealed for one user and factor opens for no other.
 * Random nonces of 96 bits are safe for 2^32 uses of a key (NIST SP 800-38D §8.3); there is one for each log-in.
 */
export const seal = (key: Buffer, purpose: string, content: string): string => {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: tagBytes }).setAAD(Buffer.from(purpose));
  const sealed = Buffer.concat([cipher.update(content, "utf8"), cipher.final()]);
  return Buffer.concat([nonce, sealed, cipher.getAuthTag()]).toString("base64");
};

/** @throws when it was changed, sealed by another key, or for another purpose */
export const unseal = (key: Buffer, purpose: string, text: string): string => {
  const bytes = Buffer.from(text, "base64");
  if (bytes.length < nonceBytes + tagBytes) throw new Error("it is too short");
  const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes });
  decipher.setAAD(Buffer.from(purpose)).setAuthTag(bytes.subarray(-tagBytes));
  return decipher.update(bytes.subarray(nonceBytes, -tagBytes), undefined, "utf8") + decipher.final("utf8");
};
