import { constants, createHmac, createSecretKey, privateDecrypt, publicEncrypt, timingSafeEqual } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { parseCertificate } from "./certificate.ts";
import { asEndpointError, UnreadableCell } from "./failures.ts";
import { deriveKeyObject } from "./master-key.ts";
import type { KeySource } from "./master-key.ts";

const oaep = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" } as const;

export const wrapDataKey = (certificate: Uint8Array, dataKey: Uint8Array): Uint8Array =>
  publicEncrypt({ key: parseCertificate(certificate).publicKey, ...oaep }, dataKey);

export const unwrapDataKey = (privateKey: KeyObject, wrappedKey: Uint8Array): KeyObject => {
  try {
    const raw = privateDecrypt({ key: privateKey, ...oaep }, wrappedKey);
    try {
      return createSecretKey(raw);
    } finally {
      raw.fill(0);
    }
  } catch (error) {
    throw asEndpointError(
      new UnreadableCell("the data key does not open with the certificate's key", { cause: error }),
    );
  }
};

/**
 * Says that somebody with the master key put a wrapped data key there. The certificate does not: it is public, and anybody who can write the
 * file can wrap a key of their own with it, which would then encrypt what is imported.
 */
export const checkOfDataKey = (masterKey: KeySource, wrappedKey: Uint8Array): Buffer =>
  createHmac("sha256", deriveKeyObject(masterKey, "pep data key check 1")).update(wrappedKey).digest();

export const isOurDataKey = (masterKey: KeySource, wrappedKey: Uint8Array, check: Uint8Array): boolean => {
  const expected = checkOfDataKey(masterKey, wrappedKey);
  return check.length === expected.length && timingSafeEqual(check, expected);
};
