import { createDecipheriv, createHash, hash } from "node:crypto";
import { openSync, closeSync, readSync } from "node:fs";

/*
 * As much of BitLocker's metadata as a recovery needs, read by hand (libyal's description of the format, cryptsetup's bitlk.c): a set of
 * entries, of which a protector holds the volume master key, and one the full volume encryption key under that.
 */

interface Entry {
  readonly kind: number;
  readonly type: number;
  readonly content: Buffer;
}

const types = { encryptedKey: 5, stretchedKey: 3, masterKey: 8 } as const;
const recoveryPassword = 0x0800;
const volumeKeyEntry = 3;
const setHeaderBytes = 48;

function* entriesIn(bytes: Buffer): Generator<Entry> {
  for (let at = 0; at + 8 <= bytes.length;) {
    const size = bytes.readUInt16LE(at);
    if (size < 8) return;
    const [kind, type] = [bytes.readUInt16LE(at + 2), bytes.readUInt16LE(at + 4)];
    yield { kind, type, content: bytes.subarray(at + 8, at + size) };
    at += size;
  }
}

/** The set of a volume's protectors and keys, as the volume itself has it. */
export const readMetadata = (image: string): Buffer => {
  const file = openSync(image, "r");
  const read = (at: number, bytes: number): Buffer => {
    const buffer = Buffer.alloc(bytes);
    readSync(file, buffer, 0, bytes, at);
    return buffer;
  };
  try {
    const isToGo = read(3, 8).toString("latin1") !== "-FVE-FS-";
    const block = read(Number(read(isToGo ? 0x1b8 : 0xb0, 8).readBigUInt64LE()), 64 * 1024);
    const set = block.subarray(64);
    return Buffer.from(set.subarray(0, set.readUInt32LE(0)));
  } finally {
    closeSync(file);
  }
};

/** AES-CCM: throws where the key is another one. */
const opened = (key: Buffer, sealed: Buffer): Buffer => {
  const cipher = createDecipheriv("aes-256-ccm", key, sealed.subarray(0, 12), { authTagLength: 16 });
  cipher.setAuthTag(sealed.subarray(12, 28));
  const plain = cipher.update(sealed.subarray(28));
  cipher.final();
  return plain;
};

/** A million rounds: about a second. */
const stretched = (password: string, salt: Buffer): Buffer => {
  const digits = Buffer.alloc(16);
  for (const [index, group] of password.split("-").entries()) digits.writeUInt16LE(Number(group) / 11, index * 2);
  const block = Buffer.alloc(88);
  createHash("sha256").update(digits).digest().copy(block, 32);
  salt.copy(block, 64);
  for (let round = 0; round < 2 ** 20; round += 1) {
    block.writeUInt32LE(round, 80);
    hash("sha256", block, "buffer").copy(block, 0);
  }
  return block.subarray(0, 32);
};

/** The key that the volume's sectors are encrypted with, from a set of metadata and the recovery password of one of its protectors. */
export const volumeKeyFrom = (metadata: Buffer, password: string, protectorId: Buffer): Buffer => {
  const all = [...entriesIn(metadata.subarray(setHeaderBytes))];
  const find = (entries: readonly Entry[], fits: (entry: Entry) => boolean): Buffer => {
    const found = entries.find(fits);
    if (found === undefined) throw new Error("no such entry");
    return found.content;
  };
  const protector = find(
    all,
    ({ type, content }) =>
      type === types.masterKey &&
      content.readUInt16LE(26) === recoveryPassword &&
      content.subarray(0, 16).equals(protectorId),
  );
  const parts = [...entriesIn(protector.subarray(28))];
  const salt = find(parts, ({ type }) => type === types.stretchedKey).subarray(4, 20);
  const sealed = find(parts, ({ type }) => type === types.encryptedKey);
  const masterKey = opened(stretched(password, salt), sealed).subarray(12);
  const volumeKey = find(all, ({ kind, type }) => kind === volumeKeyEntry && type === types.encryptedKey);
  return opened(masterKey, volumeKey).subarray(12);
};
