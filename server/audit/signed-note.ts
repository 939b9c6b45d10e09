import { createHash, createPublicKey, sign, verify, type KeyObject } from "node:crypto";

/** C2SP signed-note: the type byte of an Ed25519 signature. */
const ed25519 = 0x01;
const signatureBytes = 64;
const mostSignatures = 64;

/** The 32 bytes of an Ed25519 public key; a private key gives those of its public half. */
export const rawPublicKey = (key: KeyObject): Buffer => {
  if (key.asymmetricKeyType !== "ed25519") throw new Error("not an Ed25519 key");
  const publicKey = key.type === "private" ? createPublicKey(key) : key;
  return Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url");
};

export const publicKeyFromRaw = (raw: Buffer): KeyObject =>
  createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: raw.toString("base64url") }, format: "jwk" });

/** The first four bytes of SHA-256(name ‖ newline ‖ type ‖ public key): tells which key a signature claims to be of. */
const noteKeyId = (name: string, key: KeyObject): Buffer =>
  createHash("sha256").update(`${name}\n`).update(Buffer.of(ed25519)).update(rawPublicKey(key)).digest().subarray(0, 4);

/** @param text ends in a newline and has no empty line */
export const signNote = (text: string, name: string, keys: readonly KeyObject[]): string => {
  const lines = keys.map((key) => {
    const signature = Buffer.concat([noteKeyId(name, key), sign(null, Buffer.from(text), key)]);
    return `\u2014 ${name} ${signature.toString("base64")}\n`;
  });
  return `${text}\n${lines.join("")}`;
};

export interface SignedNote {
  readonly text: string;
  readonly signatures: readonly { readonly name: string; readonly keyId: Buffer; readonly signature: Buffer }[];
}

/** @throws Error when it is not a signed note */
export const decodeNote = (raw: string): SignedNote => {
  const at = raw.lastIndexOf("\n\n");
  if (at < 1 || !raw.endsWith("\n")) throw new Error("not a signed note");
  const text = raw.slice(0, at + 1);
  const lines = raw.slice(at + 2, -1).split("\n");
  if (lines.length > mostSignatures) throw new Error("too many signatures");
  const signatures = lines.map((line) => {
    const [, name, base64] = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/.exec(line) ?? [];
    const bytes = Buffer.from(base64 ?? "", "base64");
    if (name === undefined || bytes.length < 5) throw new Error("not a signature line");
    return { name, keyId: bytes.subarray(0, 4), signature: bytes.subarray(4) };
  });
  return { text, signatures };
};

/**
 * Which of the known keys signed the note. A key that is known and whose signature fails makes the whole note worthless
 * (signed-note: SHOULD reject); unknown ones are ignored.
 *
 * @throws Error for a signature of a known key that does not verify
 */
export const signersOf = (note: SignedNote, name: string, keys: readonly KeyObject[]): KeyObject[] => {
  const bytes = Buffer.from(note.text);
  return keys.filter((key) => {
    const id = noteKeyId(name, key);
    const claimed = note.signatures.filter((one) => one.name === name && one.keyId.equals(id));
    for (const { signature } of claimed) {
      if (signature.length !== signatureBytes || !verify(null, bytes, key, signature)) {
        throw new Error("a signature does not verify");
      }
    }
    return claimed.length > 0;
  });
};
