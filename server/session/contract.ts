import { createHash } from "node:crypto";
import type { AuthenticatedConnection } from "../identity/log-in.ts";

/**
 * What `ssh/` and `session/` agree on: bytes, sizes, an exit status, and which legal notice was shown. No SSH packet passes this line, no command does.
 */

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
  /** `closed`, and the client closed it in answer to our close: it was there to the end. */
  readonly closedInOrder: boolean;
  /** Sends exit-status, then EOF and close, in this order (RFC 4254 §6.10). Idempotent. */
  end(exitStatus: number): Promise<void>;
}

export interface ExecRequest {
  readonly kind: "exec";
  /** UTF-8, as sent. */
  readonly commandLine: string;
  readonly terminal: PseudoTerminal | undefined;
}

export interface ShellRequest {
  readonly kind: "shell";
  readonly terminal: PseudoTerminal | undefined;
  /** Window changes, newest only; the listener is set at most once. */
  onResize(listener: (size: TerminalSize) => void): void;
}

/** What a client asked a session channel to be. */
export type SessionRequest = ExecRequest | ShellRequest;

/** What `ssh/` calls once a client is authenticated and asks for a session. Resolves when the session is over; never rejects. */
export interface SessionHost {
  /** Why a user who just logged in can't have any session now, in a sentence; `undefined`: they can. */
  whyNone(connection: AuthenticatedConnection): string | undefined;
  serve(connection: AuthenticatedConnection, request: SessionRequest, channel: SessionChannel): Promise<void>;
}

/** SHA-256 of a legal notice, hexadecimal: which of its versions was shown or accepted. */
export const noticeDigest = (notice: string): string => createHash("sha256").update(notice).digest("hex");
