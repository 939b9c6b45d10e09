import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readFileSync } from "node:fs";
import type { Stats } from "node:fs";
import { join } from "node:path";
import { EndpointError } from "../errors.ts";
import type { Authenticator } from "../session/contract.ts";
import { decodePublicKey, fingerprintOf } from "./public-key.ts";

/** A user's name as a client may type it; lower-cased it is also a file name, so it holds no path. */
const userName = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;
const largestFileBytes = 256 * 1024;

/** Keys of `authorized-keys/<user>`, read once and again on `reload()`; a log-in never touches the disk. */
export interface AuthorizedKeys extends Authenticator {
  /** Lines and files that were refused, in words. The rest of the keys works. */
  readonly problems: readonly string[];
  /** SHA-256 over every user and key, hexadecimal: changes when somebody's keys do. */
  readonly digest: string;
  /** Whether the user still has the key of this fingerprint. */
  holds(user: string, keyFingerprint: string): boolean;
  /**
   * Reads the folder again and returns the new `problems`.
   * Throws an EndpointError, and keeps the former keys, when the folder itself can't be read or trusted.
   */
  reload(): readonly string[];
}

interface Loaded {
  /** User → base64 of key blobs. */
  readonly keys: ReadonlyMap<string, ReadonlySet<string>>;
  readonly problems: readonly string[];
  readonly digest: string;
}

/** Why a file or folder can't be trusted. Windows has no mode bits; there the folder's ACL is the administrator's part. */
const distrust = (stats: Stats): string | undefined => {
  if (process.platform === "win32") return undefined;
  if ((stats.mode & 0o022) !== 0) return "group or others may write it; run chmod go-w on it";
  const own = process.geteuid?.();
  if (stats.uid !== 0 && stats.uid !== own) return `it belongs to user id ${stats.uid}, not to this server or root`;
  return undefined;
};

const decodeLine = (line: string): string => {
  const [type = "", base64 = ""] = line.split(/[ \t]+/);
  if (!/^(?:ssh-|ecdsa-|sk-)[a-z0-9@.-]+$/.test(type)) {
    throw new Error("options in front of a key are not supported; the line must begin with the key type");
  }
  const blob = Buffer.from(base64, "base64");
  if (base64 === "" || blob.toString("base64") !== base64) throw new Error("the key is not base64");
  if (decodePublicKey(blob).type !== type) throw new Error("the key is of another type than the line says");
  return base64;
};

/** The whole text of a file that may be trusted; opened once, so that what was checked is what is read. */
const readTrusted = (path: string): string => {
  const file = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  try {
    const stats = fstatSync(file);
    if (!stats.isFile()) throw new Error("it is not a file");
    const why = distrust(stats);
    if (why !== undefined) throw new Error(why);
    if (stats.size > largestFileBytes) throw new Error(`it is larger than ${largestFileBytes} bytes`);
    return readFileSync(file, "utf8");
  } finally {
    closeSync(file);
  }
};

const describe = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  if (!("code" in error)) return error.message;
  return error.code === "ELOOP" ? "it is a symbolic link" : `it can't be read (${String(error.code)})`;
};

const readKeysOf = (path: string, problem: (where: string, what: string) => void): ReadonlySet<string> => {
  const keys = new Set<string>();
  let text: string;
  try {
    text = readTrusted(path);
  } catch (error) {
    problem(path, describe(error));
    return keys;
  }
  for (const [index, rawLine] of text.split(/\r?\n/).entries()) {
    const line = rawLine.trim();
    if (line === "" || line.startsWith("#")) continue;
    try {
      keys.add(decodeLine(line));
    } catch (error) {
      problem(`${path}:${index + 1}`, describe(error));
    }
  }
  return keys;
};

const load = (directory: string): Loaded => {
  const problems: string[] = [];
  const keys = new Map<string, ReadonlySet<string>>();
  let names: string[];
  try {
    const why = distrust(lstatSync(directory));
    if (why !== undefined) throw new Error(why);
    names = readdirSync(directory).sort();
  } catch (cause) {
    const message = `The folder of authorized keys ${directory} can't be used: ${describe(cause)}.`;
    throw new EndpointError("ResourceUnavailable", message, { cause });
  }
  const hash = createHash("sha256");
  for (const name of names) {
    const path = join(directory, name);
    if (!userName.test(name) || name !== name.toLowerCase()) {
      problems.push(`${path}: skipped, its name is not a user's name in lower case`);
      continue;
    }
    const ofUser = readKeysOf(path, (where, what) => problems.push(`${where}: refused, ${what}`));
    keys.set(name, ofUser);
    for (const key of [...ofUser].sort()) hash.update(`${name} ${key}\n`);
  }
  return { keys, problems, digest: hash.digest("hex") };
};

const nobodysKeys: ReadonlySet<string> = new Set();

/**
 * Reads a folder of OpenSSH `authorized_keys` files, one for each user.
 * Throws an EndpointError when the folder can't be read, or when group or others may write it.
 */
export const readAuthorizedKeys = (directory: string): AuthorizedKeys => {
  let loaded = load(directory);
  return {
    get problems() {
      return loaded.problems;
    },
    get digest() {
      return loaded.digest;
    },
    reload: () => {
      loaded = load(directory);
      return loaded.problems;
    },
    holds: (user, keyFingerprint) =>
      [...(loaded.keys.get(user) ?? nobodysKeys)].some(
        (base64) => fingerprintOf(Buffer.from(base64, "base64")) === keyFingerprint,
      ),
    findUser: (claimedUser, keyBlob) => {
      // Every answer takes the same steps, so that its time says nothing about who exists here.
      const named = userName.test(claimedUser);
      const user = claimedUser.slice(0, 64).toLowerCase();
      const ofUser = loaded.keys.get(user);
      const listed = (ofUser ?? nobodysKeys).has(Buffer.from(keyBlob).toString("base64"));
      if (named && listed) return Promise.resolve({ connectedUser: user });
      if (!named) return Promise.resolve({ refused: "not a user name" });
      return Promise.resolve({ refused: ofUser === undefined ? "unknown user" : "not a key of this user" });
    },
  };
};
