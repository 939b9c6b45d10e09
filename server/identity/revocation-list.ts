import { createHash } from "node:crypto";
import { decodeCertificate, isCertificateType } from "./certificate.ts";
import type { Certificate } from "./certificate.ts";
import { readKrl } from "./key-revocation-list.ts";
import type { RevokedOfAuthority } from "./key-revocation-list.ts";
import { readKeyLine } from "./public-key.ts";
import { WireReader } from "./wire.ts";

export type Revocation = "revoked" | "the certificate's authority is revoked" | "the certificate is revoked";

/** Says why a key or certificate may not be used any more, if so. */
export interface Revocations {
  findRevocation(keyBlob: Buffer, certificate: Certificate | undefined): Revocation | undefined;
}

const magic = Buffer.from("SSHKRL\n\0", "latin1");

const digest = (algorithm: "sha1" | "sha256", bytes: Buffer): string =>
  createHash(algorithm).update(bytes).digest("hex");

const isRevokedBy = (revoked: RevokedOfAuthority, certificate: Certificate): boolean => {
  if (revoked.authority !== undefined && !revoked.authority.equals(certificate.authority.blob)) return false;
  if (revoked.keyIds.has(certificate.keyId)) return true;
  // Serial 0 means "has none": OpenSSH never revokes by it.
  return certificate.serial !== 0n && revoked.hasSerial(certificate.serial);
};

const decodeKrl = (bytes: Buffer): Revocations => {
  const krl = readKrl(bytes);
  const isRevokedKey = (blob: Buffer): boolean =>
    krl.keys.has(blob.toString("base64")) ||
    (krl.sha256.size > 0 && krl.sha256.has(digest("sha256", blob))) ||
    (krl.sha1.size > 0 && krl.sha1.has(digest("sha1", blob)));
  return {
    findRevocation: (keyBlob, certificate) => {
      if (isRevokedKey(keyBlob)) return "revoked";
      if (certificate === undefined) return undefined;
      if (isRevokedKey(certificate.authority.blob)) return "the certificate's authority is revoked";
      const revoked = krl.certificates.some((section) => isRevokedBy(section, certificate));
      return revoked ? "the certificate is revoked" : undefined;
    },
  };
};

/** Strings behind the type. Keys that nobody accepts any more (DSA, short RSA) may well be on the list. */
const stringsIn: ReadonlyMap<string, number> = new Map([
  ["ssh-ed25519", 1],
  ["ssh-rsa", 2],
  ["ssh-dss", 4],
  ["ecdsa-sha2-nistp256", 2],
  ["ecdsa-sha2-nistp384", 2],
  ["ecdsa-sha2-nistp521", 2],
  ["sk-ssh-ed25519@openssh.com", 2],
  ["sk-ecdsa-sha2-nistp256@openssh.com", 3],
]);

/** A line cut short would revoke a key that doesn't exist, and free the one it was about. */
const refuseCutKey = (type: string, blob: Buffer): void => {
  const strings = stringsIn.get(type);
  if (strings === undefined) throw new Error("the key type is not known here");
  const reader = new WireReader(blob);
  for (let read = 0; read <= strings; read += 1) reader.bytes();
  reader.end();
};

/** A certificate in a plain list stands for its key, as in OpenSSH (sshkey_equal_public). */
const keyOf = (type: string, blob: Buffer): Buffer => {
  if (isCertificateType(type)) return decodeCertificate(blob).key.blob;
  refuseCutKey(type, blob);
  return blob;
};

const decodePlainList = (bytes: Buffer): Revocations => {
  const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  const keys = new Set<string>();
  for (const [index, rawLine] of text.split(/\r?\n/).entries()) {
    const line = rawLine.trim();
    if (line === "" || line.startsWith("#")) continue;
    try {
      const { type, blob } = readKeyLine(line);
      keys.add(keyOf(type, blob).toString("base64"));
    } catch (cause) {
      throw new Error(`line ${index + 1}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    }
  }
  return {
    findRevocation: (keyBlob, certificate) => {
      if (keys.has(keyBlob.toString("base64"))) return "revoked";
      if (certificate === undefined) return undefined;
      const authority = certificate.authority.blob.toString("base64");
      return keys.has(authority) ? "the certificate's authority is revoked" : undefined;
    },
  };
};

/**
 * OpenSSH's `RevokedKeys`: a KRL, or a list of public keys, one a line.
 * Throws when one byte of it is not understood: what it would have revoked can't be known.
 */
export const decodeRevocations = (bytes: Buffer): Revocations => {
  // An interrupted copy leaves an empty file behind; it must not set everybody free.
  if (bytes.length === 0) throw new Error("it is empty; a list that revokes nothing holds a comment line");
  return bytes.subarray(0, magic.length).equals(magic) ? decodeKrl(bytes) : decodePlainList(bytes);
};
