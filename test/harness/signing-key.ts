import { createHash, generateKeyPairSync, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { uint32, wireString } from "../../server/identity/wire.ts";

/** A key pair that signs as an SSH client, an authority or a FIDO key would; made by hand, without server code. */
export interface SigningKey {
  readonly type: string;
  readonly blob: Buffer;
  readonly line: string;
  /** What stands in a certificate: the blob without its type. */
  readonly numbers: Buffer;
  /** A whole SSH signature. FIDO keys take flags and counter. */
  sign(bytes: Uint8Array, options?: SigningOptions): Buffer;
}

export interface SigningOptions {
  readonly algorithm?: string;
  readonly hash?: string;
  readonly flags?: number;
  readonly counter?: number;
  /** What a FIDO key signs for, if not for what it was made. */
  readonly application?: string;
}

const sha256 = (bytes: Uint8Array | string): Buffer => createHash("sha256").update(bytes).digest();

const make = (type: string, numbers: Buffer, signing: SigningKey["sign"]): SigningKey => {
  const blob = Buffer.concat([wireString(type), numbers]);
  return { type, blob, numbers, line: `${type} ${blob.toString("base64")}`, sign: signing };
};

const edPoint = (key: KeyObject): Buffer => Buffer.from(key.export({ format: "jwk" }).x ?? "", "base64url");

export const ed25519Key = (): SigningKey => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  return make("ssh-ed25519", wireString(edPoint(publicKey)), (bytes) =>
    Buffer.concat([wireString("ssh-ed25519"), wireString(sign(null, bytes, privateKey))]),
  );
};

export const rsaKey = (modulusLength: number): SigningKey => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength });
  const { n = "", e = "" } = publicKey.export({ format: "jwk" });
  const modulus = Buffer.concat([Buffer.of(0), Buffer.from(n, "base64url")]);
  const numbers = Buffer.concat([wireString(Buffer.from(e, "base64url")), wireString(modulus)]);
  return make("ssh-rsa", numbers, (bytes, { algorithm = "rsa-sha2-512", hash = "sha512" } = {}) =>
    Buffer.concat([wireString(algorithm), wireString(sign(hash, bytes, privateKey))]),
  );
};

/** What a FIDO key signs (OpenSSH's PROTOCOL.u2f). */
const fidoBytes = (bytes: Uint8Array, { flags = 1, counter = 7, application = "ssh:" }: SigningOptions): Buffer =>
  Buffer.concat([sha256(application), Buffer.of(flags), uint32(counter), sha256(bytes)]);

const fidoTail = ({ flags = 1, counter = 7 }: SigningOptions): Buffer =>
  Buffer.concat([Buffer.of(flags), uint32(counter)]);

export const fidoEd25519Key = (): SigningKey => {
  const type = "sk-ssh-ed25519@openssh.com";
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const numbers = Buffer.concat([wireString(edPoint(publicKey)), wireString("ssh:")]);
  return make(type, numbers, (bytes, options = {}) =>
    Buffer.concat([wireString(type), wireString(sign(null, fidoBytes(bytes, options), privateKey)), fidoTail(options)]),
  );
};

const integer = (bytes: Buffer): Buffer => {
  const start = bytes.findIndex((byte) => byte !== 0);
  const short = bytes.subarray(start);
  return wireString((short[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), short]) : short);
};

export const ecdsaKey = (): SigningKey => {
  const type = "ecdsa-sha2-nistp256";
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { x = "", y = "" } = publicKey.export({ format: "jwk" });
  const point = Buffer.concat([Buffer.of(4), Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]);
  return make(type, Buffer.concat([wireString("nistp256"), wireString(point)]), (bytes) => {
    const raw = sign("sha256", bytes, { key: privateKey, dsaEncoding: "ieee-p1363" });
    return Buffer.concat([
      wireString(type),
      wireString(Buffer.concat([integer(raw.subarray(0, 32)), integer(raw.subarray(32))])),
    ]);
  });
};

export const fidoEcdsaKey = (): SigningKey => {
  const type = "sk-ecdsa-sha2-nistp256@openssh.com";
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { x = "", y = "" } = publicKey.export({ format: "jwk" });
  const point = Buffer.concat([Buffer.of(4), Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]);
  const numbers = Buffer.concat([wireString("nistp256"), wireString(point), wireString("ssh:")]);
  return make(type, numbers, (bytes, options = {}) => {
    const raw = sign("sha256", fidoBytes(bytes, options), { key: privateKey, dsaEncoding: "ieee-p1363" });
    const inner = Buffer.concat([integer(raw.subarray(0, 32)), integer(raw.subarray(32))]);
    return Buffer.concat([wireString(type), wireString(inner), fidoTail(options)]);
  });
};

export interface CertificateParts {
  readonly key: SigningKey;
  readonly authority: SigningKey;
  readonly kind?: number;
  readonly keyId?: string;
  readonly serial?: bigint;
  readonly principals?: readonly string[];
  readonly validAfter?: bigint;
  readonly validBefore?: bigint;
  /** Names and values; a value is wrapped as a string, `null` is an option without one. */
  readonly critical?: readonly (readonly [string, string | null])[];
  readonly extensions?: readonly string[];
  readonly signing?: SigningOptions;
}

const uint64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
};

export const certificateAlgorithm = (key: SigningKey): string =>
  `${key.type.replace("@openssh.com", "")}-cert-v01@openssh.com`;

/** An OpenSSH certificate by hand (PROTOCOL.certkeys): also those that ssh-keygen refuses to make. */
export const makeCertificate = (parts: CertificateParts): Buffer => {
  const { key, authority, kind = 1, keyId = "a key", serial = 1n, principals = ["support"] } = parts;
  const critical = (parts.critical ?? []).map(([name, value]) =>
    Buffer.concat([wireString(name), wireString(value === null ? "" : wireString(value))]),
  );
  const extensions = (parts.extensions ?? ["permit-pty"]).map((name) =>
    Buffer.concat([wireString(name), wireString("")]),
  );
  const unsigned = Buffer.concat([
    wireString(certificateAlgorithm(key)),
    wireString(Buffer.alloc(32, 9)), // nonce
    key.numbers,
    uint64(serial),
    uint32(kind),
    wireString(keyId),
    wireString(Buffer.concat(principals.map((name) => wireString(name)))),
    uint64(parts.validAfter ?? 0n),
    uint64(parts.validBefore ?? 0xffff_ffff_ffff_ffffn),
    wireString(Buffer.concat(critical)),
    wireString(Buffer.concat(extensions)),
    wireString(""),
    wireString(authority.blob),
  ]);
  return Buffer.concat([unsigned, wireString(authority.sign(unsigned, parts.signing))]);
};
