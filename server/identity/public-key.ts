import { createHash, createPublicKey } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { WireError, WireReader } from "./wire.ts";

/* ssh2's own `parseKey()` is not used: it takes ssh-dss, ignores trailing bytes, and knows neither certificates nor sk- keys. */

const nistp256 = { name: "nistp256", jwk: "P-256", bytes: 32 } as const;
const curves = {
  "ecdsa-sha2-nistp256": nistp256,
  "ecdsa-sha2-nistp384": { name: "nistp384", jwk: "P-384", bytes: 48 },
  "ecdsa-sha2-nistp521": { name: "nistp521", jwk: "P-521", bytes: 66 },
  "sk-ecdsa-sha2-nistp256@openssh.com": nistp256,
} as const;
type EcdsaType = keyof typeof curves;
const isEcdsa = (type: string): type is EcdsaType => Object.hasOwn(curves, type);

const smallestRsaBits = 3072;
/** Above this, one verification costs tens of milliseconds of everybody's event loop. */
const largestRsaBits = 8192;

export interface PublicKey {
  /** The type inside the blob: `ssh-rsa` for every RSA key. */
  readonly type: string;
  /** The key alone, in the wire form of RFC 4253 §6.6; a certificate's own key too. */
  readonly blob: Buffer;
  readonly key: KeyObject;
  /** Of an RSA modulus, or of one coordinate of an ECDSA signature; 0 for Ed25519. */
  readonly numberBytes: number;
  /** What a FIDO key was made for (`ssh:`); such a key's signatures say whether someone touched it. */
  readonly application: Buffer | undefined;
}

const fromJwk = (jwk: Record<string, string>): KeyObject => {
  try {
    return createPublicKey({ key: jwk, format: "jwk" });
  } catch {
    throw new WireError("the key is not valid"); // a point that is not on its curve
  }
};

const isEd25519 = (type: string): boolean => type === "ssh-ed25519" || type === "sk-ssh-ed25519@openssh.com";

const readNumbers = (type: string, reader: WireReader): Pick<PublicKey, "key" | "numberBytes"> => {
  if (isEd25519(type)) {
    const point = reader.bytes();
    if (point.length !== 32) throw new WireError("an Ed25519 key has 32 bytes");
    return { key: fromJwk({ kty: "OKP", crv: "Ed25519", x: point.toString("base64url") }), numberBytes: 0 };
  }
  if (isEcdsa(type)) {
    const curve = curves[type];
    if (reader.ascii() !== curve.name) throw new WireError("the curve contradicts the key type");
    const point = reader.bytes();
    if (point.length !== 1 + 2 * curve.bytes || point[0] !== 4) throw new WireError("not an uncompressed point");
    const x = point.subarray(1, 1 + curve.bytes).toString("base64url");
    const y = point.subarray(1 + curve.bytes).toString("base64url");
    return { key: fromJwk({ kty: "EC", crv: curve.jwk, x, y }), numberBytes: curve.bytes };
  }
  if (type === "ssh-rsa") {
    const exponent = reader.positiveInteger();
    const modulus = reader.positiveInteger();
    const bits = modulus.length * 8 - (Math.clz32(modulus[0] ?? 0) - 24);
    if (bits < smallestRsaBits || bits > largestRsaBits) {
      throw new WireError(`an RSA key must have ${smallestRsaBits} to ${largestRsaBits} bits, this one has ${bits}`);
    }
    const jwk = { kty: "RSA", e: exponent.toString("base64url"), n: modulus.toString("base64url") };
    return { key: fromJwk(jwk), numberBytes: modulus.length };
  }
  throw new WireError(
    `the key type is not accepted; use ssh-ed25519, ecdsa-sha2-nistp256, -384 or -521, ssh-rsa of ${smallestRsaBits} bits or more, or their FIDO forms (sk-)`,
  );
};

/** Reads what follows the type in a key, and in a certificate its nonce. Leaves the reader behind it. */
export const readPublicKey = (type: string, reader: WireReader, whole: Uint8Array): PublicKey => {
  const from = reader.consumed;
  const numbers = readNumbers(type, reader);
  const application = type.startsWith("sk-") ? reader.bytes() : undefined;
  const typeLength = Buffer.alloc(4);
  typeLength.writeUInt32BE(type.length);
  const blob = Buffer.concat([typeLength, Buffer.from(type, "latin1"), whole.subarray(from, reader.consumed)]);
  return { type, blob, ...numbers, application };
};

/** Reads a public key in the wire form of RFC 4253 §6.6. Throws a `WireError` for anything this endpoint does not accept. */
export const decodePublicKey = (blob: Uint8Array): PublicKey => {
  const reader = new WireReader(blob);
  const key = readPublicKey(reader.ascii(), reader, blob);
  reader.end();
  return key;
};

/** `SHA256:…` as OpenSSH prints it. */
export const fingerprintOf = (blob: Uint8Array): string =>
  `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;

export interface KeyLine {
  readonly type: string;
  readonly blob: Buffer;
}

/**
 * `type base64 [comment]`, the line of a `.pub` file. The key itself is not judged: a list of revoked keys may hold those
 * that nobody accepts any more.
 * @throws Error
 */
export const readKeyLine = (line: string): KeyLine => {
  const [type = "", base64 = ""] = line.split(/[ \t]+/);
  if (!/^(?:ssh-|ecdsa-|sk-)[a-z0-9@.-]+$/.test(type)) throw new Error("it does not begin with a key type");
  const blob = Buffer.from(base64, "base64");
  if (base64 === "" || blob.toString("base64") !== base64) throw new Error("the key is not base64");
  if (new WireReader(blob).ascii() !== type) throw new Error("the key is of another type than the line says");
  return { type, blob };
};
