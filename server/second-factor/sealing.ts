import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { EndpointError } from "../errors.ts";

export const sealingKeyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;

const unusable = (message: string, cause?: unknown): EndpointError =>
  new EndpointError("ResourceUnavailable", message, { cause });

/** The key file, as `pep init` made it. The caller zeroes it. @throws EndpointError ResourceUnavailable */
export const readSealingKey = (path: string): Buffer => {
  let file: number;
  try {
    // O_NOFOLLOW: whoever may write beside it must not put another key in its place by a link.
    file = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    throw unusable(`The second factors' key ${path} is missing or can't be opened; pep init makes one.`, error);
  }
  try {
    const about = fstatSync(file);
    const own = process.geteuid?.();
    if (!about.isFile() || about.size !== sealingKeyBytes) {
      throw unusable(`The second factors' key ${path} must be a file of ${sealingKeyBytes} bytes.`);
    }
    // Windows has no owner and no mode bits: there the file's access list has to protect it.
    if (own !== undefined && (about.mode & 0o077) !== 0) {
      throw unusable(`The second factors' key may be read by others; run: chmod 600 ${path}`);
    }
    if (own !== undefined && about.uid !== own && about.uid !== 0) {
      throw unusable(`The second factors' key ${path} belongs to another account.`);
    }
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
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
