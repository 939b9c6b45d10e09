import type { KeyVerdict } from "../../server/identity/log-in.ts";
import type { AuthorizedKey, AuthorizedKeys } from "../../server/identity/authorized-keys.ts";
import { judgeKey } from "../../server/identity/judge-key.ts";
import type { KeyTrust } from "../../server/identity/judge-key.ts";
import { decodeKeyOptions } from "../../server/identity/key-options.ts";
import { wireString } from "../../server/identity/wire.ts";
import type { SigningKey, SigningOptions } from "./signing-key.ts";

/** What a client signs (RFC 4252 §7). */
export const signedBytes = (
  user: string,
  algorithm: string,
  key: Buffer,
  session: Buffer = Buffer.alloc(32, 3),
): Buffer =>
  Buffer.concat([
    wireString(session),
    Buffer.of(50),
    ...[user, "ssh-connection", "publickey"].map((text) => wireString(text)),
    Buffer.of(1),
    wireString(algorithm),
    wireString(key),
  ]);

export const authorizedLine = (key: SigningKey, options = ""): AuthorizedKey => ({
  key: key.blob,
  options: decodeKeyOptions(options),
  line: `${options} ${key.line}`,
});

/** Trust in nobody, except what is named. */
export const trusting = (trust: {
  readonly lines?: readonly AuthorizedKey[];
  readonly authorities?: readonly SigningKey[];
  readonly groups?: readonly string[];
  readonly findRevocation?: KeyTrust["findRevocation"];
}): KeyTrust => ({
  keysOf: (user) => (user === "support" ? (trust.lines ?? []) : undefined),
  groupsOf: () => trust.groups ?? [],
  mayConnect: () => true,
  isTrustedAuthority: ({ blob }) => (trust.authorities ?? []).some((authority) => authority.blob.equals(blob)),
  findRevocation: trust.findRevocation ?? (() => undefined),
});

export interface Attempt {
  readonly key: SigningKey;
  readonly trust: KeyTrust;
  readonly certificate?: Buffer;
  readonly user?: string;
  readonly from?: string;
  readonly algorithm?: string;
  readonly signing?: SigningOptions;
  readonly nowMs?: number;
}

/** Tries to log in with a proof, and gives the verdict in a word: "in", or the reason. */
export const attemptLogin = (attempt: Attempt): KeyVerdict => {
  const { key, certificate, user = "support" } = attempt;
  const keyBlob = certificate ?? key.blob;
  const algorithm =
    attempt.algorithm ??
    (certificate === undefined ? key.type : `${key.type.replace("@openssh.com", "")}-cert-v01@openssh.com`);
  const signed = signedBytes(user, algorithm, keyBlob);
  const proof = { signed, signature: key.sign(signed, attempt.signing) };
  const clientAddress = attempt.from ?? "192.0.2.7";
  const nowMs = attempt.nowMs ?? Date.now();
  return judgeKey({ claimedUser: user, clientAddress, algorithm, keyBlob, proof }, attempt.trust, nowMs);
};

/** "in", or why not. */
export const outcome = (verdict: KeyVerdict): string => {
  if (verdict.kind === "refused") return verdict.detail ?? verdict.reason;
  return verdict.kind === "proved" ? "in" : verdict.kind;
};

/** What a folder of keys says to an offered ed25519 key. */
export const offerTo = (keys: AuthorizedKeys, claimedUser: string, keyBlob: Buffer): KeyVerdict =>
  judgeKey(
    { claimedUser, clientAddress: "192.0.2.7", algorithm: "ssh-ed25519", keyBlob, proof: undefined },
    { ...trusting({}), keysOf: (user) => keys.keysOf(user) },
    Date.now(),
  );
