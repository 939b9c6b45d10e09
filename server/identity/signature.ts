import { createHash, verify } from "node:crypto";
import type { PublicKey } from "./public-key.ts";
import { uint32, WireError, WireReader } from "./wire.ts";

interface Rule {
  readonly keyType: string;
  /** `null`: Ed25519 brings its own. */
  readonly hash: "sha256" | "sha384" | "sha512" | null;
}

/** Signature algorithm → the key type it goes with and its hash. SHA-1 `ssh-rsa` is missing on purpose (RFC 8332 §3). */
const rules: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ["ssh-ed25519", { keyType: "ssh-ed25519", hash: null }],
  ["ecdsa-sha2-nistp256", { keyType: "ecdsa-sha2-nistp256", hash: "sha256" }],
  ["ecdsa-sha2-nistp384", { keyType: "ecdsa-sha2-nistp384", hash: "sha384" }],
  ["ecdsa-sha2-nistp521", { keyType: "ecdsa-sha2-nistp521", hash: "sha512" }],
  ["rsa-sha2-256", { keyType: "ssh-rsa", hash: "sha256" }],
  ["rsa-sha2-512", { keyType: "ssh-rsa", hash: "sha512" }],
  ["sk-ssh-ed25519@openssh.com", { keyType: "sk-ssh-ed25519@openssh.com", hash: null }],
  ["sk-ecdsa-sha2-nistp256@openssh.com", { keyType: "sk-ecdsa-sha2-nistp256@openssh.com", hash: "sha256" }],
]);

/** Every algorithm that may sign a log-in or a certificate. */
export const signatureAlgorithms: ReadonlySet<string> = new Set(rules.keys());

/** May a key of this type sign with this algorithm? */
export const maySign = (algorithm: string, keyType: string): boolean => rules.get(algorithm)?.keyType === keyType;

/** What a FIDO key says of its user, under its signature (OpenSSH's PROTOCOL.u2f). */
export interface FidoFlags {
  /** Somebody touched it. */
  readonly userPresent: boolean;
  /** It checked a PIN or a fingerprint. */
  readonly userVerified: boolean;
  readonly counter: number;
}

const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();

/** r and s of fixed length, one after the other (IEEE P1363), from two SSH integers. */
const fixedLength = (raw: Buffer, length: number): Buffer => {
  const reader = new WireReader(raw);
  const numbers = [reader.positiveInteger(), reader.positiveInteger()];
  reader.end();
  return Buffer.concat(
    numbers.map((number) => {
      if (number.length > length) throw new WireError("a number in the signature is too long");
      return Buffer.concat([Buffer.alloc(length - number.length), number]);
    }),
  );
};

const isRight = (key: PublicKey, rule: Rule, signed: Buffer, raw: Buffer): boolean => {
  if (rule.hash === null) return raw.length === 64 && verify(null, signed, key.key, raw);
  if (key.type !== "ssh-rsa") {
    return verify(rule.hash, signed, { key: key.key, dsaEncoding: "ieee-p1363" }, fixedLength(raw, key.numberBytes));
  }
  if (raw.length > key.numberBytes) return false;
  // PuTTY drops leading zeros: one RSA signature in 256 is shorter than its modulus; OpenSSL wants them back.
  return verify(rule.hash, signed, key.key, Buffer.concat([Buffer.alloc(key.numberBytes - raw.length), raw]));
};

export type SignatureCheck =
  | { readonly right: false }
  /** `fido` is there exactly for sk- keys. */
  | { readonly right: true; readonly fido: FidoFlags | undefined };

/**
 * Checks a whole SSH signature: its algorithm's name, the bytes, and for a FIDO key flags and counter.
 * @param allowed the algorithms that will do; the hash follows from the one named, never from the key
 * @throws WireError when it is malformed
 */
export const checkSignature = (
  key: PublicKey,
  allowed: ReadonlySet<string>,
  signed: Buffer,
  envelope: Uint8Array,
): SignatureCheck => {
  const reader = new WireReader(envelope);
  const algorithm = reader.ascii();
  const raw = reader.bytes();
  const rule = rules.get(algorithm);
  if (rule === undefined || rule.keyType !== key.type || !allowed.has(algorithm)) return { right: false };
  if (key.application === undefined) {
    reader.end();
    return isRight(key, rule, signed, raw) ? { right: true, fido: undefined } : { right: false };
  }
  const flags = reader.byte();
  const counter = reader.uint32();
  reader.end();
  const covered = Buffer.concat([sha256(key.application), Buffer.of(flags), uint32(counter), sha256(signed)]);
  if (!isRight(key, rule, covered, raw)) return { right: false };
  return { right: true, fido: { userPresent: (flags & 1) !== 0, userVerified: (flags & 4) !== 0, counter } };
};

/** The one string that stands behind the key in a proof (RFC 4252 §7), to the last byte. @throws WireError */
export const signatureIn = (behindTheKey: Buffer): Buffer => {
  const reader = new WireReader(behindTheKey);
  const signature = reader.bytes();
  reader.end();
  return signature;
};

/** What a client signed when it proved its key (RFC 4252 §7). */
export interface SignedRequest {
  readonly user: string;
  readonly algorithm: string;
  readonly keyBlob: Buffer;
}

/** Reads the exact bytes that were signed. Nothing else about a log-in may be believed, as only these are covered. */
export const decodeSignedRequest = (signed: Uint8Array): SignedRequest => {
  const reader = new WireReader(signed);
  if (reader.bytes().length === 0) throw new WireError("no session identifier");
  if (reader.byte() !== 50) throw new WireError("not a USERAUTH_REQUEST");
  const user = reader.utf8();
  if (reader.ascii() !== "ssh-connection") throw new WireError("another service");
  if (reader.ascii() !== "publickey") throw new WireError("another method");
  if (reader.byte() === 0) throw new WireError("a probe, not a proof");
  const algorithm = reader.ascii();
  const keyBlob = reader.bytes();
  reader.end();
  return { user, algorithm, keyBlob };
};
