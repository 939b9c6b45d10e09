import { createHash, randomBytes } from "node:crypto";
import type { KeyObject } from "node:crypto";

/** RC4 as a generator of key bytes: another form than the reader's. */
function* keyStream(key: Uint8Array): Generator<number, never> {
  const s = [...Array(256).keys()];
  const at = (i: number): number => s[i & 255] ?? 0;
  let j = 0;
  for (let i = 0; i < 256; i += 1) {
    j = (j + at(i) + (key[i % key.length] ?? 0)) & 255;
    [s[i], s[j]] = [at(j), at(i)];
  }
  j = 0;
  for (let i = 1; ; i = (i + 1) & 255) {
    j = (j + at(i)) & 255;
    [s[i], s[j]] = [at(j), at(i)];
    yield at(at(i) + at(j));
  }
}

const u32 = (...values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => bytes.writeUInt32LE(value, i * 4));
  return bytes;
};

const little = (base64url: string | undefined, length: number): Buffer => {
  const bytes = Buffer.alloc(length);
  Buffer.from(Buffer.from(base64url ?? "", "base64url").toReversed()).copy(bytes);
  return bytes;
};

/** A private key as SQL Server's CERTPRIVATEKEY gives it, for the model site. */
export const encodePvk = (
  privateKey: KeyObject,
  password: string,
  { encoding = "latin1", weak = false }: { readonly encoding?: "latin1" | "utf16le"; readonly weak?: boolean },
): Buffer => {
  const jwk = privateKey.export({ format: "jwk" });
  const length = Buffer.from(jwk.n ?? "", "base64url").length;
  const half = Math.ceil(length / 2);
  const exponent = Buffer.concat([Buffer.alloc(4), Buffer.from(jwk.e ?? "", "base64url")])
    .subarray(-4)
    .readUInt32BE();
  const body = Buffer.concat([
    Buffer.from("RSA2", "latin1"),
    u32(length * 8, exponent),
    little(jwk.n, length),
    ...[jwk.p, jwk.q, jwk.dp, jwk.dq, jwk.qi].map((part) => little(part, half)),
    little(jwk.d, length),
  ]);
  const salt = randomBytes(16);
  const hash = createHash("sha1").update(salt).update(Buffer.from(password, encoding)).digest();
  const key = weak ? Buffer.concat([hash.subarray(0, 5), Buffer.alloc(11)]) : hash.subarray(0, 16);
  const stream = keyStream(key);
  const encrypted = body.map((byte) => byte ^ stream.next().value);
  const blobHeader = Buffer.from([7, 2, 0, 0, 0, 0xa4, 0, 0]);
  return Buffer.concat([
    u32(0xb0b5f11e, 0, 1, 1, salt.length, blobHeader.length + body.length),
    salt,
    blobHeader,
    encrypted,
  ]);
};
