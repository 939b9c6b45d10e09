import type { Party } from "./party.ts";

/*
 * What is asked of keys and codes, and how it is answered.
 */

/** Why a key was refused (authentication). Rules of a SIEM name them: add, don't change. */
export const keyRefusals = [
  "no key",
  "the key can't be accepted",
  "the algorithm is not accepted with this key",
  "not a user name",
  "unknown user",
  "not a key of this user",
  "not in the required groups",
  /** Of a session that began without one, when its user's role asks for it now. */
  "a second factor is required",
  "from= does not allow this address",
  "the key's expiry-time is over",
  "the certificate's authority is not trusted",
  "it is a host's certificate",
  "the certificate is not yet valid",
  "the certificate is expired",
  "the certificate has no principals",
  "no principal of the certificate fits",
  "the certificate has an unknown critical option",
  "the certificate's source-address can't be read",
  "source-address does not allow this address",
  "revoked",
  "the certificate is revoked",
  "the certificate's authority is revoked",
  "the list of revoked keys can't be read",
  "the signed request is another one",
  "the signature is wrong",
  "the FIDO key was not touched",
  "the FIDO key was used without its PIN",
  "a PIN is required, and this key can't tell",
] as const;

export type KeyRefusal = (typeof keyRefusals)[number];

/** Why a code after the key was refused. */
export const codeRefusals = [
  "no second factor is enrolled",
  "the code is wrong",
  "the code was used before",
  "the recovery code is wrong",
  "the recovery code was used before",
  "too many wrong codes",
  "the second factor can't be read",
  "the code's use could not be stored",
] as const;

export type CodeRefusal = (typeof codeRefusals)[number];

/** One request to log in with a public key (RFC 4252 §7). */
export interface KeyAttempt {
  /** As typed by the client; any text. */
  readonly claimedUser: string;
  readonly clientAddress: string;
  /** The name the client asked for: `rsa-sha2-512`, `ssh-ed25519-cert-v01@openssh.com`, … */
  readonly algorithm: string;
  /** The public key or certificate in wire form; empty when there was none. */
  readonly keyBlob: Buffer;
  /** Absent while the client only asks whether the key would do. */
  readonly proof: { readonly signed: Buffer; readonly signature: Buffer } | undefined;
}

/** For the record. */
interface KeyShown {
  /** `SHA256:…` of the key itself, also when a certificate came with it. */
  readonly keyFingerprint?: string;
  readonly certificate?: { readonly keyId: string; readonly serial: string; readonly authority: string };
}

/** The client signed with a key that lets it in. */
export interface ProvedKey extends KeyShown {
  readonly kind: "proved";
  /** The user's name in its canonical spelling. */
  readonly connectedUser: string;
  readonly keyFingerprint: string;
  /** What a FIDO key said under its signature. */
  readonly fido?: { readonly userPresent: boolean; readonly userVerified: boolean; readonly counter: number };
  readonly mayHaveTerminal: boolean;
  /** Runs instead of whatever the client asks for. */
  readonly forcedCommand?: string;
  /** When the key's expiry-time or the certificate's validity is over, in milliseconds since 1970. */
  readonly expiresAt?: number;
}

export interface RefusedKey extends KeyShown {
  readonly kind: "refused";
  readonly reason: KeyRefusal;
  readonly detail?: string;
}

export type KeyVerdict =
  /** The key would do, but nothing is proven: the client may now sign. */
  { readonly kind: "probe" } | ProvedKey | RefusedKey;

/** What `ssh/` needs to know of keys: may this client log in with this key? */
export interface Authenticator {
  /** Asked for the offer and again for the proof. */
  judge(attempt: KeyAttempt): Promise<KeyVerdict>;
  /** Asked of a log-in that was accepted: why it would be refused now. Proves nothing, whatever the answer. */
  refusalNow(attempt: KeyAttempt): KeyRefusal | undefined;
}

export type AcceptedCode =
  | { readonly kind: "accepted"; readonly factor: "code" }
  | { readonly kind: "accepted"; readonly factor: "recovery-code"; readonly recoveryCodesLeft: number };

export type CodeVerdict =
  | AcceptedCode
  | {
      readonly kind: "refused";
      /** For the log; the client is told no more than `hint`. */
      readonly reason: CodeRefusal;
      readonly detail?: string;
      /** For the holder of the key, shown above the next question. */
      readonly hint?: string;
    };

/** What `ssh/` needs to know of second factors. Asked only about users whose key has signed. */
export interface SecondFactor {
  /** Whether the roles ask this user for a code after the key. */
  isRequired(user: string): boolean;
  isEnrolled(user: string): boolean;
  /** How long this party has to wait before its next code for its user is looked at; 0: not at all. */
  waitMs(party: Party): number;
  /** Judges what was typed. What it accepts is used up, durably, before it says so. */
  judge(attempt: Party & { readonly answer: string }): Promise<CodeVerdict>;
}

/** A connection whose user proved who they are. */
export interface AuthenticatedConnection extends Party {
  readonly connectionId: string;
  readonly clientAddress: string;
  /** `true`: the key's line says `restrict`, or its certificate lacks permit-pty. */
  readonly withoutTerminal?: boolean;
  /** `true`: a code was given after the key. */
  readonly secondFactor?: boolean;
  /** The certificate's force-command: every session runs this line, whatever the client asks for. */
  readonly forcedCommand?: string;
  /** When the key or certificate is over by itself, in milliseconds since 1970; absent: never. */
  readonly expiresAt?: number;
  /** Why this log-in would be refused now; `undefined`: it would not. */
  refusalNow(): KeyRefusal | undefined;
}
