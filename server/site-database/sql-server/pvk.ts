import { createHash, createPrivateKey, randomBytes } from "node:crypto";
import type { KeyObject } from "node:crypto";

/*
 * The PVK form in which SQL Server hands out a private key (BACKUP CERTIFICATE, CERTPRIVATEKEY): a header, a salt, and a
 * CryptoAPI PRIVATEKEYBLOB (https://learn.microsoft.com/windows/win32/seccrypto/rsa-schannel-key-blobs) under RC4. OpenSSL
 * reads it only with its legacy provider, which Node does not load, so RC4 is written out here: for what comes or goes
 * over TLS once, under a password of that moment, never for keeping.
 */

const magic = 0xb0b5f11e;
const headerLength = 24;
const blobHeaderLength = 8;
const rsaPrivateMagic = Buffer.from("RSA2", "latin1");

const rc4 = (key: Uint8Array, input: Uint8Array): Buffer => {
  const state = Uint8Array.from({ length: 256 }, (_, i) => i);
  const read = (i: number): number => state[i & 0xff] ?? 0;
  const swap = (i: number, j: number): void => {
    const kept = read(i);
    state[i] = read(j);
    state[j] = kept;
  };
  for (let i = 0, j = 0; i < 256; i += 1) {
    j = (j + read(i) + (key[i % key.length] ?? 0)) & 0xff;
    swap(i, j);
  }
  const output = Buffer.alloc(input.length);
  for (let n = 0, i = 0, j = 0; n < input.length; n += 1) {
    i = (i + 1) & 0xff;
    j = (j + read(i)) & 0xff;
    swap(i, j);
    output[n] = (input[n] ?? 0) ^ read(read(i) + read(j));
  }
  return output;
};

/** 128 bits, or the 40 bits of export times, padded with zeros. */
const candidateKeys = (salt: Uint8Array, password: Uint8Array): readonly Uint8Array[] => {
  const hash = createHash("sha1").update(salt).update(password).digest();
  const weak = Buffer.alloc(16);
  hash.copy(weak, 0, 0, 5);
  return [hash.subarray(0, 16), weak];
};

/** The blob behind its header: "RSA2", then numbers, little-endian. */
const parseBlob = (blob: Buffer): KeyObject => {
  const bits = blob.readUInt32LE(4);
  const whole = Math.ceil(bits / 8);
  const half = Math.ceil(bits / 16);
  let at = 12;
  const number = (length: number): string => {
    const bytes = Buffer.from(blob.subarray(at, at + length).toReversed());
    if (bytes.length < length) throw new Error("the private key ends too early");
    at += length;
    const start = bytes.findIndex((byte) => byte !== 0);
    return bytes.subarray(start < 0 ? 0 : start).toString("base64url");
  };
  const exponent = Buffer.alloc(4);
  exponent.writeUInt32BE(blob.readUInt32LE(8));
  const e = exponent.subarray(exponent.findIndex((byte) => byte !== 0)).toString("base64url");
  const [n, p, q, dp, dq, qi, d] = [
    number(whole),
    number(half),
    number(half),
    number(half),
    number(half),
    number(half),
    number(whole),
  ];
  return createPrivateKey({ format: "jwk", key: { kty: "RSA", n, e, d, p, q, dp, dq, qi } });
};

/**
 * Opens a PVK. Throws when the password is another one, or the bytes are something else.
 * Which bytes SQL Server makes of a password is not documented: its ASCII bytes and UTF-16 are both tried.
 */
export const decodePvk = (file: Uint8Array, password: string): KeyObject => {
  const bytes = Buffer.from(file);
  if (bytes.length < headerLength || bytes.readUInt32LE(0) !== magic) throw new Error("not a PVK");
  const isEncrypted = bytes.readUInt32LE(12) !== 0;
  const saltLength = bytes.readUInt32LE(16);
  const blobLength = bytes.readUInt32LE(20);
  const blobAt = headerLength + saltLength;
  if (blobLength <= blobHeaderLength + 12 || bytes.length < blobAt + blobLength)
    throw new Error("the PVK ends too early");
  // We never ask for one without a password, so one that needs none is not ours.
  if (!isEncrypted) throw new Error("the PVK is not encrypted");
  const salt = bytes.subarray(headerLength, blobAt);
  const body = bytes.subarray(blobAt + blobHeaderLength, blobAt + blobLength);
  for (const encoding of ["latin1", "utf16le"] as const)
    for (const key of candidateKeys(salt, Buffer.from(password, encoding))) {
      const blob = rc4(key, body);
      try {
        if (blob.subarray(0, 4).equals(rsaPrivateMagic)) return parseBlob(blob);
      } finally {
        blob.fill(0);
        key.fill(0);
      }
    }
  throw new Error("the password does not open the PVK");
};

/** The parts of an RSA key in the blob's order, and which share of the modulus's length each takes. */
const blobParts = [
  ["n", 1],
  ["p", 2],
  ["q", 2],
  ["dp", 2],
  ["dq", 2],
  ["qi", 2],
  ["d", 1],
] as const;

// PRIVATEKEYBLOB, version 2, CALG_RSA_KEYX; AT_KEYEXCHANGE is 1.
const blobHeader = Buffer.from([7, 2, 0, 0, 0, 0xa4, 0, 0]);

const numbers = (...values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => bytes.writeUInt32LE(value, i * 4));
  return bytes;
};

/** The private key as CREATE CERTIFICATE FROM BINARY takes it, under an ASCII password. */
export const encodePvk = (privateKey: KeyObject, password: string): Uint8Array => {
  const jwk = privateKey.export({ format: "jwk" });
  const bytesOf = (part: "n" | "e" | (typeof blobParts)[number][0]): Buffer =>
    Buffer.from(jwk[part] ?? "", "base64url");
  const whole = bytesOf("n").length;
  const exponent = bytesOf("e");
  if (jwk.kty !== "RSA" || whole % 2 !== 0) throw new Error("SQL Server takes RSA keys only");
  const parts = blobParts.map(([part, share]) => {
    const field = Buffer.alloc(whole / share);
    Buffer.from(bytesOf(part).toReversed()).copy(field);
    return field;
  });
  const body = Buffer.concat([rsaPrivateMagic, numbers(whole * 8, exponent.readUIntBE(0, exponent.length)), ...parts]);
  const salt = randomBytes(16);
  const key = createHash("sha1").update(salt).update(Buffer.from(password, "latin1")).digest().subarray(0, 16);
  try {
    const header = numbers(magic, 0, 1, 1, salt.length, blobHeader.length + body.length);
    return Buffer.concat([header, salt, blobHeader, rc4(key, body)]);
  } finally {
    for (const secret of [body, key, ...parts]) secret.fill(0);
  }
};
