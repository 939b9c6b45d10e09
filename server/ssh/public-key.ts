import { createHash, createPublicKey, verify } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { WireError, WireReader } from "./wire.ts";

/*
 * ssh2's own `parseKey().verify()` is not used: it accepts ssh-dss and SHA-1, and ignores trailing bytes. Certificates and
 * sk- keys are refused by name until this endpoint has a policy for them.
 */

const curves = {
  "ecdsa-sha2-nistp256": { name: "nistp256", jwk: "P-256", hash: "sha256", bytes: 32 },
  "ecdsa-sha2-nistp384": { name: "nistp384", jwk: "P-384", hash: "sha384", bytes: 48 },
  "ecdsa-sha2-nistp521": { name: "nistp521", jwk: "P-521", hash: "sha512", bytes: 66 },
} as const;
type EcdsaType = keyof typeof curves;
const isEcdsa = (type: string): type is EcdsaType => Object.hasOwn(curves, type);

/** Signature algorithm → the key type it goes with and its hash. SHA-1 `ssh-rsa` is missing on purpose (RFC 8332 §3). */
const signatureAlgorithms: ReadonlyMap<string, { readonly keyType: string; readonly hash: string | null }> = new Map([
  ["ssh-ed25519", { keyType: "ssh-ed25519", hash: null }],
  ["rsa-sha2-256", { keyType: "ssh-rsa", hash: "sha256" }],
  ["rsa-sha2-512", { keyType: "ssh-rsa", hash: "sha512" }],
  ...Object.entries(curves).map(([type, { hash }]) => [type, { keyType: type, hash }] as const),
]);

const smallestRsaBits = 2048;
/** Above this, one verification costs tens of milliseconds of everybody's event loop. */
const largestRsaBits = 8192;

export interface PublicKey {
  /** The type inside the blob: `ssh-rsa` for every RSA key. */
  readonly type: string;
  readonly blob: Buffer;
  readonly key: KeyObject;
  readonly modulusBytes: number;
}

const fromJwk = (jwk: Record<string, string>): KeyObject => {
  try {
    return createPublicKey({ key: jwk, format: "jwk" });
  } catch {
    throw new WireError("the key is not valid"); // a point that is not on its curve
  }
};

/** Reads a public key in the wire form of RFC 4253 §6.6. Throws a `WireError` for anything this endpoint does not accept. */
export const decodePublicKey = (blob: Uint8Array): PublicKey => {
  const reader = new WireReader(blob);
  const type = reader.ascii();
  let key: KeyObject;
  let modulusBytes = 0;
  if (type === "ssh-ed25519") {
    const point = reader.bytes();
    if (point.length !== 32) throw new WireError("an Ed25519 key has 32 bytes");
    key = fromJwk({ kty: "OKP", crv: "Ed25519", x: point.toString("base64url") });
  } else if (isEcdsa(type)) {
    const curve = curves[type];
    if (reader.ascii() !== curve.name) throw new WireError("the curve contradicts the key type");
    const point = reader.bytes();
    if (point.length !== 1 + 2 * curve.bytes || point[0] !== 4) throw new WireError("not an uncompressed point");
    key = fromJwk({
      kty: "EC",
      crv: curve.jwk,
      x: point.subarray(1, 1 + curve.bytes).toString("base64url"),
      y: point.subarray(1 + curve.bytes).toString("base64url"),
    });
  } else if (type === "ssh-rsa") {
    const exponent = reader.positiveInteger();
    const modulus = reader.positiveInteger();
    const bits = modulus.length * 8 - (Math.clz32(modulus[0] ?? 0) - 24);
    if (bits < smallestRsaBits || bits > largestRsaBits) {
      throw new WireError(`an RSA key must have ${smallestRsaBits} to ${largestRsaBits} bits, this one has ${bits}`);
    }
    modulusBytes = modulus.length;
    key = fromJwk({ kty: "RSA", e: exponent.toString("base64url"), n: modulus.toString("base64url") });
  } else {
    throw new WireError(
      `the key type is not accepted; use ssh-ed25519, ecdsa-sha2-nistp256, -384 or -521, or ssh-rsa of ${smallestRsaBits} bits or more`,
    );
  }
  reader.end();
  return { type, blob: Buffer.from(blob), key, modulusBytes };
};

/** `SHA256:…` as OpenSSH prints it. */
export const fingerprintOf = (blob: Uint8Array): string =>
  `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;

/** May a client ask to log in with this signature algorithm and a key of this type? */
export const mayUse = (algorithm: string, key: PublicKey): boolean =>
  signatureAlgorithms.get(algorithm)?.keyType === key.type;

/**
 * Checks a signature in the form ssh2 hands it over: the envelope removed, ECDSA converted to DER.
 * @param algorithm the one name the client asked for; the hash follows from it, never from the signature
 */
export const verifySignature = (key: PublicKey, algorithm: string, signed: Buffer, signature: Buffer): boolean => {
  const rule = signatureAlgorithms.get(algorithm);
  if (rule === undefined || rule.keyType !== key.type) return false;
  if (rule.hash === null) return signature.length === 64 && verify(null, signed, key.key, signature);
  if (key.modulusBytes === 0) return verify(rule.hash, signed, { key: key.key, dsaEncoding: "der" }, signature);
  if (signature.length > key.modulusBytes) return false;
  // PuTTY drops leading zeros: one RSA signature in 256 is shorter than its modulus; OpenSSL wants them back.
  const padded = Buffer.concat([Buffer.alloc(key.modulusBytes - signature.length), signature]);
  return verify(rule.hash, signed, key.key, padded);
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
