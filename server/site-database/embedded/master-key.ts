import { createHmac, createHash, createSecretKey, hkdfSync, randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { open } from "node:fs/promises";
import * as z from "zod";
import { codeOf, EndpointError } from "../../errors.ts";
import { ownSecret } from "../../files/judge.ts";
import { readTrusted } from "../../files/trusted-file.ts";
import { revealSecret } from "../../secret.ts";
import type { Secret } from "../../secret.ts";
import { refuseWeakPassword } from "../refuse-weak-password.ts";
import { unavailable } from "./failures.ts";
import { schemaVersion, versionWithoutDigests } from "./schema.ts";

export type MasterKeySource =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "password"; readonly password: Secret };

const keyBytes = 32;

/** Upper bounds too: the database file says what to spend, and a tampered one must not make the server spend a terabyte. */
const keyDerivation = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("file"), salt: z.base64() }),
  z.strictObject({
    kind: z.literal("password"),
    salt: z.base64(),
    cost: z.int().min(2).max(1_048_576),
    blockSize: z.int().min(1).max(16),
    parallelization: z.int().min(1).max(16),
  }),
]);
type KeyDerivation = z.infer<typeof keyDerivation>;

/** What the database keeps of its master key: how to derive it, and how to recognise it. Not secret. */
export interface MasterKeyRecord {
  readonly keyDerivation: string;
  readonly keyCheck: Uint8Array;
}

/** The root of the key hierarchy, in memory. Everything that needs a key derives its own by purpose. */
export class MasterKey {
  readonly #root: Uint8Array;

  constructor(root: Uint8Array) {
    this.#root = root;
  }

  /** A 32-byte key for one purpose. The caller zeroes it. */
  deriveKey(purpose: string): Uint8Array {
    return new Uint8Array(hkdfSync("sha256", this.#root, new Uint8Array(0), purpose, keyBytes));
  }

  /** Zeroes the root; keys derived afterwards would be of zeroes, so this is the last call. */
  close(): void {
    this.#root.fill(0);
  }
}

/** The master key, as far as anybody but its owner needs it. */
export type KeySource = Pick<MasterKey, "deriveKey">;

/** A key for one purpose that the caller keeps as long as the database is open: its bytes are in no buffer. */
export const deriveKeyObject = (source: KeySource, purpose: string): KeyObject => {
  const derived = source.deriveKey(purpose);
  try {
    return createSecretKey(derived);
  } finally {
    derived.fill(0);
  }
};

/** Writes 32 random bytes into a new file that only its owner may read. */
export const createMasterKeyFile = async (path: string): Promise<void> => {
  const key = randomBytes(keyBytes);
  try {
    const file = await open(path, "wx", 0o600).catch((error: unknown) => {
      throw codeOf(error) === "EEXIST"
        ? new EndpointError("ResourceExists", "The master key file is already there.", { cause: error })
        : new EndpointError("ResourceUnavailable", "The master key file can't be written.", { cause: error });
    });
    try {
      await file.writeFile(key);
      await file.sync();
    } finally {
      await file.close();
    }
  } finally {
    key.fill(0);
  }
};

const ifLost = "If the right one is lost, and the certificate was backed up: pep restore-cert";

const readMasterKeyFile = async (path: string): Promise<Uint8Array> => {
  const key = await readTrusted(path, ownSecret("master key")).catch((cause: unknown) => {
    throw new EndpointError("ResourceUnavailable", `The master key file can't be used. ${ifLost}`, { cause });
  });
  if (key.length === keyBytes) return key;
  key.fill(0);
  throw unavailable(`The master key file must hold exactly ${keyBytes} bytes.`, `${path} holds ${key.length} bytes`);
};

const stretch = (password: Uint8Array, derivation: Extract<KeyDerivation, { kind: "password" }>): Promise<Uint8Array> =>
  new Promise((resolve, reject) => {
    const { cost, blockSize, parallelization } = derivation;
    // Node refuses what needs more than maxmem; scrypt needs about 128 · N · r bytes (RFC 7914 §2).
    const maxmem = 128 * blockSize * (cost + parallelization) + 1_048_576;
    const salt = Buffer.from(derivation.salt, "base64");
    scrypt(password, salt, keyBytes, { cost, blockSize, parallelization, maxmem }, (error, key) => {
      if (error === null) resolve(new Uint8Array(key));
      else reject(error);
    });
  });

const deriveRoot = async (source: MasterKeySource, derivation: KeyDerivation): Promise<Uint8Array> => {
  if (source.kind === "file" && derivation.kind === "file") {
    const key = await readMasterKeyFile(source.path);
    try {
      const salt = Buffer.from(derivation.salt, "base64");
      return new Uint8Array(hkdfSync("sha256", key, salt, "pep site database master key 1", keyBytes));
    } finally {
      key.fill(0);
    }
  }
  if (source.kind === "password" && derivation.kind === "password") {
    const password = Buffer.from(revealSecret(source.password), "utf8");
    try {
      return await stretch(password, derivation);
    } finally {
      password.fill(0);
    }
  }
  throw unavailable(
    `The site database's master key comes from a ${derivation.kind}, but a ${source.kind} was given.`,
    "kind of master key differs",
  );
};

/**
 * The check covers the plain-text option too: whoever can edit the file but does not hold the master key can't allow
 * plain text, and so can't put a recovery key of their own in the place of an encrypted one. From version 2 it covers the
 * version as well: a file with digests can't be passed off as one whose rows get theirs at the next start.
 */
export const computeCheck = (
  masterKey: KeySource,
  derivation: string,
  plainTextAllowed: boolean,
  version: number,
): Uint8Array => {
  const checkKey = masterKey.deriveKey("pep master key check 1");
  try {
    return createHmac("sha256", checkKey)
      .update(
        JSON.stringify(
          version === versionWithoutDigests ? [derivation, plainTextAllowed] : [derivation, plainTextAllowed, version],
        ),
      )
      .digest();
  } finally {
    checkKey.fill(0);
  }
};

// RFC 7914 names N = 2^14 for interactive use of 2009; 2^17 (128 MiB, about half a second) is OWASP's present figure.
const scryptCost = { cost: 131_072, blockSize: 8, parallelization: 1 } as const;

/** Makes the master key of a new database. */
export const createMasterKey = async (
  source: MasterKeySource,
  plainTextAllowed: boolean,
): Promise<{ readonly masterKey: MasterKey; readonly record: MasterKeyRecord }> => {
  if (source.kind === "password") refuseWeakPassword(revealSecret(source.password));
  const salt = randomBytes(keyBytes).toString("base64");
  const derivation: KeyDerivation =
    source.kind === "file" ? { kind: "file", salt } : { kind: "password", salt, ...scryptCost };
  const masterKey = new MasterKey(await deriveRoot(source, derivation));
  const text = JSON.stringify(derivation);
  return {
    masterKey,
    record: { keyDerivation: text, keyCheck: computeCheck(masterKey, text, plainTextAllowed, schemaVersion) },
  };
};

const decodeKeyDerivation = (text: string): KeyDerivation => {
  try {
    return keyDerivation.parse(JSON.parse(text));
  } catch (error) {
    throw new EndpointError("ResourceUnavailable", "The site database's master key record is damaged.", {
      cause: error,
    });
  }
};

const digest = (bytes: Uint8Array): Uint8Array => createHash("sha256").update(bytes).digest();

/** Opens the master key of a database, or says that it is not this database's. */
export const openMasterKey = async (
  source: MasterKeySource,
  record: MasterKeyRecord,
  plainTextAllowed: boolean,
  version: number,
): Promise<MasterKey> => {
  const masterKey = new MasterKey(await deriveRoot(source, decodeKeyDerivation(record.keyDerivation)));
  const expected = computeCheck(masterKey, record.keyDerivation, plainTextAllowed, version);
  // Digests first, because timingSafeEqual throws on lengths that differ.
  if (timingSafeEqual(digest(expected), digest(record.keyCheck))) return masterKey;
  masterKey.close();
  throw unavailable(
    `The master key does not belong to this site database, or the database was changed by someone without it. ${ifLost}`,
    "master key check failed",
  );
};
