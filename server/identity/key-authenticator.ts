import { createHash } from "node:crypto";
import type { Authenticator } from "./log-in.ts";
import type { AuthorizedKeys } from "./authorized-keys.ts";
import { judgeKey } from "./judge-key.ts";
import type { KeyTrust } from "./judge-key.ts";
import { readKeyLine, decodePublicKey, fingerprintOf } from "./public-key.ts";
import { decodeRevocations } from "./revocation-list.ts";
import type { Revocations } from "./revocation-list.ts";
import { openFile } from "../files/judge.ts";
import { readTrustedSync, whyUnusable } from "../files/trusted-file.ts";

const largestListBytes = 16 * 1024 * 1024;

export interface TrustFiles {
  /** Public keys of certificate authorities, one a line; no file, no certificates. */
  readonly trustedUserCAKeys: string | undefined;
  /** A KRL or a list of public keys. */
  readonly revokedKeys: string | undefined;
}

/** Certificate authorities and revoked keys, read once and again on `reload()`. */
export interface TrustAnchors {
  readonly isTrustedAuthority: (keyBlob: Buffer) => boolean;
  /** `SHA256:…` of each. */
  readonly authorities: () => readonly string[];
  /** `undefined`: a list is configured and can't be read, so nobody can be told apart from the revoked. */
  readonly revocations: () => Revocations | undefined;
  readonly problems: readonly string[];
  /** SHA-256 over the files, hexadecimal; `undefined` when none is configured. */
  readonly digest: string | undefined;
  /** Reads both files again. What can't be read now trusts nobody now: an older list may lack the key that was revoked. */
  reload(): readonly string[];
}

interface Loaded {
  readonly authorities: ReadonlySet<string>;
  readonly revocations: Revocations | undefined;
  readonly problems: readonly string[];
  readonly digest: string | undefined;
}

const nothingRevoked: Revocations = { findRevocation: () => undefined };

const readAuthorities = (path: string, bytes: Buffer, problem: (text: string) => void): ReadonlySet<string> => {
  const authorities = new Set<string>();
  for (const [index, rawLine] of bytes.toString("utf8").split(/\r?\n/).entries()) {
    const line = rawLine.trim();
    if (line === "" || line.startsWith("#")) continue;
    try {
      authorities.add(decodePublicKey(readKeyLine(line).blob).blob.toString("base64"));
    } catch (error) {
      problem(`${path}:${index + 1}: refused, ${whyUnusable(error)}`);
    }
  }
  return authorities;
};

const load = (files: TrustFiles): Loaded => {
  const problems: string[] = [];
  const configured = files.trustedUserCAKeys !== undefined || files.revokedKeys !== undefined;
  const hash = createHash("sha256");
  const read = (path: string): Buffer => {
    const bytes = readTrustedSync(path, openFile("list of keys", largestListBytes));
    hash.update(createHash("sha256").update(bytes).digest());
    return bytes;
  };
  let authorities: ReadonlySet<string> = new Set();
  let revocations: Revocations | undefined = nothingRevoked;
  if (files.trustedUserCAKeys !== undefined) {
    try {
      const path = files.trustedUserCAKeys;
      authorities = readAuthorities(path, read(path), (text) => problems.push(text));
    } catch (error) {
      problems.push(`${files.trustedUserCAKeys}: no certificate is accepted, ${whyUnusable(error)}`);
    }
  }
  if (files.revokedKeys !== undefined) {
    try {
      revocations = decodeRevocations(read(files.revokedKeys));
    } catch (error) {
      revocations = undefined;
      problems.push(
        `${files.revokedKeys}: NOBODY CAN LOG IN, the list of revoked keys can't be read: ${whyUnusable(error)}`,
      );
    }
  }
  return { authorities, revocations, problems, digest: configured ? hash.digest("hex") : undefined };
};

/** Reads the files of `endpoint.json`; never throws, what is broken trusts nobody. */
export const readTrustAnchors = (files: TrustFiles): TrustAnchors => {
  let loaded = load(files);
  return {
    authorities: () => [...loaded.authorities].map((base64) => fingerprintOf(Buffer.from(base64, "base64"))),
    isTrustedAuthority: (blob) => loaded.authorities.has(blob.toString("base64")),
    revocations: () => loaded.revocations,
    get problems() {
      return loaded.problems;
    },
    get digest() {
      return loaded.digest;
    },
    reload: () => {
      loaded = load(files);
      return loaded.problems;
    },
  };
};

/** Knows users by their keys and certificates. */
export const createKeyAuthenticator = (options: {
  readonly authorizedKeys: AuthorizedKeys;
  readonly anchors: TrustAnchors;
  readonly groupsOf: (user: string) => readonly string[];
  readonly mayConnect: (user: string) => boolean;
  readonly now: () => number;
}): Authenticator => {
  const trust: KeyTrust = {
    keysOf: (user) => options.authorizedKeys.keysOf(user),
    groupsOf: options.groupsOf,
    mayConnect: options.mayConnect,
    isTrustedAuthority: ({ blob }) => options.anchors.isTrustedAuthority(blob),
    findRevocation: (blob, certificate) => {
      const revocations = options.anchors.revocations();
      if (revocations === undefined) return "the list of revoked keys can't be read";
      return revocations.findRevocation(blob, certificate);
    },
  };
  return {
    judge: (attempt) => Promise.resolve(judgeKey(attempt, trust, options.now())),
    refusalNow: (attempt) => {
      const verdict = judgeKey({ ...attempt, proof: undefined }, trust, options.now());
      return verdict.kind === "refused" ? verdict.reason : undefined;
    },
  };
};
