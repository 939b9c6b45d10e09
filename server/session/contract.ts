import type { CodeRefusal, KeyRefusal } from "../audit/refusal-reasons.ts";
import type { Party } from "../identity/party.ts";

/**
 * What `ssh/` and `session/` agree on: bytes, sizes and an exit status. No SSH packet passes this line, no command does.
 */

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

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** What the client said in `pty-req`; sizes are clamped to 1…1000, 0 becomes 80×24. */
export interface PseudoTerminal extends TerminalSize {
  /** TERM; empty when the client gave none. */
  readonly term: string;
}

/** One session channel, from `exec` or `shell` to its close. */
export interface SessionChannel {
  /**
   * Sends standard output. Resolves when the next write is welcome (SSH window, socket and key exchange considered),
   * rejects with an `OperationStopped` EndpointError once the channel is closed. Never hangs after a close.
   */
  write(bytes: Uint8Array): Promise<void>;
  /** Sends standard error, after every byte of standard output written so far has gone: ssh2 mixes them up otherwise. */
  writeError(bytes: Uint8Array): Promise<void>;
  /** The client's bytes in order; ends at EOF or close. Pulling slowly closes the SSH window. Iterate once. */
  readonly input: AsyncIterable<Uint8Array>;
  /** Aborts when the client closed the channel or the connection was lost. */
  readonly closed: AbortSignal;
  /** Sends exit-status, then EOF and close, in this order (RFC 4254 §6.10). Idempotent. */
  end(exitStatus: number): Promise<void>;
}

/** What a client asked a session channel to be. */
export type SessionRequest =
  | {
      readonly kind: "exec";
      /** UTF-8, as sent. */
      readonly commandLine: string;
      readonly terminal: PseudoTerminal | undefined;
    }
  | {
      readonly kind: "shell";
      readonly terminal: PseudoTerminal | undefined;
      /** Window changes, newest only; the listener is set at most once. */
      onResize(listener: (size: TerminalSize) => void): void;
    };

/** What `ssh/` calls once a client is authenticated and asks for a session. Resolves when the session is over; never rejects. */
export interface SessionHost {
  /** Why a user who just logged in can't have any session now, in a sentence; `undefined`: they can. */
  whyNone(connection: AuthenticatedConnection): string | undefined;
  serve(connection: AuthenticatedConnection, request: SessionRequest, channel: SessionChannel): Promise<void>;
}

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

export type KeyVerdict =
  /** The key would do, but nothing is proven: the client may now sign. */
  | { readonly kind: "probe" }
  | (KeyShown & {
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
    })
  | (KeyShown & { readonly kind: "refused"; readonly reason: KeyRefusal; readonly detail?: string });

/** What `ssh/` needs to know of keys: may this client log in with this key? */
export interface Authenticator {
  /** Asked for the offer and again for the proof. */
  judge(attempt: KeyAttempt): Promise<KeyVerdict>;
  /** Asked of a log-in that was accepted: why it would be refused now. Proves nothing, whatever the answer. */
  refusalNow(attempt: KeyAttempt): KeyRefusal | undefined;
}

export type CodeVerdict =
  | { readonly kind: "accepted"; readonly factor: "code" }
  | { readonly kind: "accepted"; readonly factor: "recovery-code"; readonly recoveryCodesLeft: number }
  | {
      readonly kind: "refused";
      /** For the log; the client is told no more than `hint`. */
      readonly reason: CodeRefusal;
      readonly detail?: string;
      /** What whoever holds the key may know, shown above the next question. */
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
