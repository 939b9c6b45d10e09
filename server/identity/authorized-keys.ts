import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { EndpointError } from "../errors.ts";
import { ownFile } from "../files/judge.ts";
import { readTrustedSync, refuseOpenFolder, whyUnusable } from "../files/trusted-file.ts";
import { isCanonicalUserName } from "../model/user-name.ts";
import { readKeyLine, decodePublicKey } from "./public-key.ts";
import { decodeKeyOptions, splitOptions } from "./key-options.ts";
import type { KeyOptions } from "./key-options.ts";

/** Bytes of a file of authorized keys. */
export const largestKeyFile = 256 * 1024;
const fileRule = ownFile("file of authorized keys", largestKeyFile);

/**
 * A file that is not text was not written by an administrator: a program wrote it that could choose a part of it, a database say,
 * and one line of it may well read as a key.
 */
const textOf = (bytes: Buffer): string => {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new Error("it is not text in UTF-8, so none of its keys counts", { cause });
  }
  if (/[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F]/.test(text)) {
    throw new Error("it holds control characters, so it is no text and none of its keys counts");
  }
  return text;
};

/** One line of `authorized-keys/<user>`. */
export interface AuthorizedKey {
  readonly key: Buffer;
  readonly options: KeyOptions;
  readonly line: string;
}

/** Keys of `authorized-keys/<user>`, read once and again on `reload()`; a log-in never touches the disk. */
export interface AuthorizedKeys {
  /** Of a name in lower case; `undefined` when there is no such file. */
  keysOf(user: string): readonly AuthorizedKey[] | undefined;
  /** Lines and files that were refused, in words. The rest of the keys works. */
  readonly problems: readonly string[];
  /** SHA-256 over every user, key and its options, hexadecimal: changes when somebody's keys do. */
  readonly digest: string;
  /**
   * Reads the folder again and returns the new `problems`.
   * Throws an EndpointError, and keeps the former keys, when the folder itself can't be read or trusted.
   */
  reload(): readonly string[];
}

interface Loaded {
  readonly keys: ReadonlyMap<string, readonly AuthorizedKey[]>;
  readonly problems: readonly string[];
  readonly digest: string;
}

/** `[options] type base64 [comment]`. */
const decodeLine = (line: string): AuthorizedKey => {
  const hasOptions = !/^(?:ssh-|ecdsa-|sk-)[^\s=,"]*(?:\s|$)/.test(line);
  const { options, rest } = hasOptions ? splitOptions(line) : { options: "", rest: line };
  const { blob } = readKeyLine(rest);
  const key = decodePublicKey(blob);
  const decoded = decodeKeyOptions(options);
  const isFido = key.application !== undefined;
  if (decoded.verifyRequired && !isFido && !decoded.certAuthority) {
    throw new Error("verify-required can't be met: only FIDO keys (sk-) say whether a PIN was given");
  }
  return { key: key.blob, options: decoded, line };
};

/** What a text of authorized keys gives, and what of it is refused, with its line where it is not all of it. */
export interface DecodedKeys {
  readonly keys: readonly AuthorizedKey[];
  readonly refused: readonly { readonly line?: number; readonly why: string }[];
}

/** Reads a text as log-ins will: one that is no text gives no key, and a line that can't be understood is left out. */
export const decodeAuthorizedKeys = (bytes: Buffer): DecodedKeys => {
  const keys: AuthorizedKey[] = [];
  const refused: { line?: number; why: string }[] = [];
  let text: string;
  try {
    text = textOf(bytes);
  } catch (error) {
    return { keys, refused: [{ why: whyUnusable(error) }] };
  }
  for (const [index, rawLine] of text.split(/\r?\n/).entries()) {
    const line = rawLine.trim();
    if (line === "" || line.startsWith("#")) continue;
    try {
      keys.push(decodeLine(line));
    } catch (error) {
      refused.push({ line: index + 1, why: whyUnusable(error) });
    }
  }
  return { keys, refused };
};

/** The text of `authorized-keys/<user>`. @throws UntrustedFile */
export const readKeyFile = (path: string): Buffer => readTrustedSync(path, fileRule);

const readKeysOf = (path: string, problem: (where: string, what: string) => void): readonly AuthorizedKey[] => {
  let bytes: Buffer;
  try {
    bytes = readKeyFile(path);
  } catch (error) {
    problem(path, whyUnusable(error));
    return [];
  }
  const { keys, refused } = decodeAuthorizedKeys(bytes);
  for (const { line, why } of refused) problem(line === undefined ? path : `${path}:${line}`, why);
  return keys;
};

const load = (directory: string): Loaded => {
  const problems: string[] = [];
  const keys = new Map<string, readonly AuthorizedKey[]>();
  let names: string[];
  try {
    refuseOpenFolder(directory, { what: "folder of authorized keys", links: "refused" });
    names = readdirSync(directory).sort();
  } catch (cause) {
    const message = `The folder of authorized keys ${directory} can't be used: ${whyUnusable(cause)}`;
    throw new EndpointError("ResourceUnavailable", message, { cause });
  }
  const hash = createHash("sha256");
  for (const name of names) {
    const path = join(directory, name);
    if (!isCanonicalUserName(name)) {
      problems.push(`${path}: skipped, its name is not a user's name in lower case`);
      continue;
    }
    const ofUser = readKeysOf(path, (where, what) => problems.push(`${where}: refused, ${what}`));
    keys.set(name, ofUser);
    for (const line of ofUser.map((key) => key.line).sort()) hash.update(`${name} ${line}\n`);
  }
  return { keys, problems, digest: hash.digest("hex") };
};

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
    keysOf: (user) => loaded.keys.get(user),
  };
};
