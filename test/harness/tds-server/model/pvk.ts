import { createHash, createPrivateKey, randomBytes } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { ByteReader, ByteWriter } from "../bytes.ts";

/*
 * The PVK form of BACKUP CERTIFICATE and CERTPRIVATEKEY, written apart from the product's reader: CryptoAPI's PRIVATEKEYBLOB
 * (https://learn.microsoft.com/windows/win32/seccrypto/rsa-schannel-key-blobs) under RC4 with SHA-1(salt + password). That
 * SQL Server takes the password's code page bytes is the model's assumption; the product tries UTF-16 as well.
 */

const fileMagic = 0xb0b5f11e;
const blobMagic = 0x32415352;
/** PRIVATEKEYBLOB, version 2, CALG_RSA_KEYX. */
const blobHeader = Buffer.from([7, 2, 0, 0, 0x00, 0xa4, 0x00, 0x00]);

const rc4 = (key: Uint8Array, bytes: Uint8Array): Buffer => {
  const state = Uint8Array.from({ length: 256 }, (_, i) => i);
  const at = (i: number): number => state[i % 256] ?? 0;
  const exchange = (i: number, j: number): void => {
    [state[i], state[j]] = [at(j), at(i)];
  };
  for (let i = 0, j = 0; i < 256; i += 1) {
    j = (j + at(i) + (key[i % key.length] ?? 0)) % 256;
    exchange(i, j);
  }
  let j = 0;
  return Buffer.from(
    bytes.map((byte, n) => {
      const i = (n + 1) % 256;
      j = (j + at(i)) % 256;
      exchange(i, j);
      return byte ^ at(at(i) + at(j));
    }),
  );
};

const rc4Key = (salt: Uint8Array, password: string): Uint8Array =>
  createHash("sha1").update(salt).update(Buffer.from(password, "latin1")).digest().subarray(0, 16);

/** Parts of an RSA key in the blob's order, with their length as a share of the modulus. */
const parts = [
  ["n", 1],
  ["p", 2],
  ["q", 2],
  ["dp", 2],
  ["dq", 2],
  ["qi", 2],
  ["d", 1],
] as const;

const littleEndian = (value: string | undefined, length: number): Buffer => {
  const bytes = Buffer.alloc(length);
  Buffer.from(Buffer.from(value ?? "", "base64url").toReversed()).copy(bytes);
  return bytes;
};

export const encodePvk = (privateKey: KeyObject, password: string): Buffer => {
  const jwk = privateKey.export({ format: "jwk" });
  const length = Buffer.from(jwk.n ?? "", "base64url").length;
  const blob = new ByteWriter()
    .u32(blobMagic)
    .u32(length * 8)
    .u32(65_537);
  for (const [name, share] of parts) blob.bytes(littleEndian(jwk[name], length / share));
  const salt = randomBytes(16);
  const out = new ByteWriter();
  // Reserved, AT_KEYEXCHANGE, encrypted.
  out
    .u32(fileMagic)
    .u32(0)
    .u32(1)
    .u32(1)
    .u32(salt.length)
    .u32(blobHeader.length + blob.written.length);
  out
    .bytes(salt)
    .bytes(blobHeader)
    .bytes(rc4(rc4Key(salt, password), blob.written));
  return out.written;
};

/** The key; "wrong password" or "not a PVK" otherwise. */
export const decodePvk = (file: Buffer, password: string): KeyObject | "wrong password" | "not a PVK" => {
  if (file.length < 24 || file.readUInt32LE(0) !== fileMagic) return "not a PVK";
  const input = new ByteReader(file);
  input.take(16);
  const saltLength = input.u32();
  const blobLength = input.u32();
  const salt = input.take(saltLength);
  input.take(blobHeader.length);
  const blob = new ByteReader(rc4(rc4Key(salt, password), input.take(blobLength - blobHeader.length)));
  if (blob.u32() !== blobMagic) return "wrong password";
  const length = blob.u32() / 8;
  blob.u32();
  const jwk: Record<string, string> = { kty: "RSA", e: "AQAB" };
  for (const [name, share] of parts)
    jwk[name] = Buffer.from(blob.take(length / share).toReversed()).toString("base64url");
  return createPrivateKey({ format: "jwk", key: jwk });
};
