import type { AuthContext, Connection, PublicKeyAuthContext } from "ssh2";
import type { Origin } from "../audit/event.ts";
import type { AuthenticatedConnection, Authenticator, KeyAttempt, KeyVerdict } from "../session/contract.ts";
import type { ClientSocket } from "./client-socket.ts";
import type { Limits } from "./limits.ts";
import { readableText } from "./readable-text.ts";
import type { Recorder } from "./recorder.ts";
import { wholeSignature } from "./signature.ts";
import { disconnectReason } from "./ssh2-internals.ts";
import type { Transport } from "./ssh2-internals.ts";
import { WireError } from "./wire.ts";

/** The name the client sent: ssh2 rewrites both rsa-sha2 names to `ssh-rsa` and keeps the hash beside. */
const requestedAlgorithm = (context: PublicKeyAuthContext): string => {
  const raw: unknown = context.key.algo; // undefined when the request held none, whatever the types say
  if (context.hashAlgo !== undefined) return `rsa-sha2-${context.hashAlgo.replace(/^sha/, "")}`;
  return typeof raw === "string" ? raw : "";
};

/** What ssh2 read, put together again as the client sent it. @throws WireError */
const attemptOf = (context: PublicKeyAuthContext, clientAddress: string): KeyAttempt => {
  const rawKey: unknown = context.key.data; // undefined when the request held none
  const algorithm = requestedAlgorithm(context);
  const { blob, signature } = context;
  return {
    claimedUser: context.username,
    clientAddress,
    algorithm,
    keyBlob: Buffer.isBuffer(rawKey) ? rawKey : Buffer.alloc(0),
    proof:
      signature === undefined
        ? undefined
        : { signed: blob ?? Buffer.alloc(0), signature: wholeSignature(algorithm, signature) },
  };
};

const judge = async (
  context: PublicKeyAuthContext,
  clientAddress: string,
  authenticator: Authenticator,
): Promise<KeyVerdict> => {
  let attempt: KeyAttempt;
  try {
    attempt = attemptOf(context, clientAddress);
  } catch (error) {
    if (error instanceof WireError) return { kind: "refused", reason: "the signature is wrong", detail: error.message };
    throw error;
  }
  return authenticator.judge(attempt);
};

/** What the record shows of a key. A key id is text of whoever runs the authority. */
const recorded = (verdict: Exclude<KeyVerdict, { readonly kind: "probe" }>) => ({
  ...(verdict.keyFingerprint === undefined ? {} : { keyFingerprint: verdict.keyFingerprint }),
  ...(verdict.certificate === undefined
    ? {}
    : { certificate: { ...verdict.certificate, keyId: readableText(verdict.certificate.keyId) } }),
  ...(verdict.kind === "proved" && verdict.fido !== undefined ? { fido: verdict.fido } : {}),
});

export interface LoginOptions {
  readonly client: ClientSocket;
  readonly connection: Connection;
  readonly transport: Transport;
  readonly authenticator: Authenticator;
  readonly recorder: Recorder;
  readonly origin: () => Origin;
  /** Whether the opening of this connection is on the record; a log-in may not precede it. */
  readonly opened: Promise<boolean>;
  readonly limits: Limits;
  readonly report: (problem: string) => void;
  /** Called just before the client is told. */
  readonly onProved: (identity: AuthenticatedConnection) => void;
}

/**
 * Decides who a client is: a public key that signed this very connection, and nothing else.
 * ssh2 verifies no signature; its `accept()` on a proof means "logged in".
 */
export const decideLogin = (options: LoginOptions): void => {
  const { client, limits, recorder } = options;
  let tries = 0;

  const stillThere = (): boolean => !client.gone && client.socket.writable;

  const reject = (context: AuthContext, delayMs: number): void => {
    if (delayMs === 0) {
      context.reject(["publickey"]);
      return;
    }
    const timer = setTimeout(() => {
      if (stillThere()) context.reject(["publickey"]);
    }, delayMs);
    client.socket.once("close", () => clearTimeout(timer));
  };

  const refuse = (context: AuthContext, reason: string, shown: ReturnType<typeof recorded> = {}): void => {
    void recorder.record({
      type: "authentication",
      ...options.origin(),
      claimedUser: readableText(context.username, 64),
      outcome: "refused",
      method: context.method,
      reason,
      ...shown,
    });
    tries += 1;
    if (tries < limits.authenticationTries) {
      reject(context, limits.failureDelayMs);
      return;
    }
    options.transport.sendDisconnect(disconnectReason.noMoreAuthenticationMethods, "Too many authentication failures");
    client.socket.end();
  };

  const accept = async (
    context: PublicKeyAuthContext,
    verdict: Extract<KeyVerdict, { kind: "proved" }>,
  ): Promise<void> => {
    const { connectedUser, keyFingerprint } = verdict;
    const shown = recorded(verdict);
    const durable = recorder.record({
      type: "authentication",
      ...options.origin(),
      connectedUser,
      outcome: "accepted",
      method: context.method,
      ...shown,
    });
    if (!(await options.opened) || !(await durable)) {
      refuse(context, "the log-in could not be recorded", shown);
      return;
    }
    if (!stillThere()) return;
    const attempt = { ...attemptOf(context, client.address), proof: undefined };
    options.onProved({
      connectionId: client.connectionId,
      connectedUser,
      clientAddress: client.address,
      keyFingerprint,
      ...(verdict.mayHaveTerminal ? {} : { withoutTerminal: true }),
      ...(verdict.forcedCommand === undefined ? {} : { forcedCommand: verdict.forcedCommand }),
      ...(verdict.expiresAt === undefined ? {} : { expiresAt: verdict.expiresAt }),
      refusalNow: () => options.authenticator.refusalNow(attempt),
    });
    context.accept();
  };

  const decide = async (context: AuthContext): Promise<void> => {
    // The first request of most clients, to learn the methods: neither a try nor worth a line in the log.
    if (context.method === "none") {
      reject(context, 0);
      return;
    }
    // ssh2's hostbased contexts look like publickey ones.
    if (context.method !== "publickey") {
      refuse(context, "only public keys are accepted");
      return;
    }
    const verdict = await judge(context, client.address, options.authenticator);
    if (!stillThere()) return;
    if (verdict.kind === "refused") {
      const { reason, detail } = verdict;
      refuse(context, detail === undefined ? reason : `${reason}: ${detail}`, recorded(verdict));
    } else if (verdict.kind === "proved") {
      await accept(context, verdict);
    } else {
      // ssh2 would answer `ssh-rsa` to an rsa-sha2 probe; OpenSSH 10, dbclient and asyncssh then refuse to sign.
      context.key.algo = requestedAlgorithm(context);
      context.accept();
    }
  };

  options.connection.on("authentication", (context) => {
    if (!stillThere()) return; // ssh2 goes on emitting what was pipelined before a disconnect
    decide(context).catch((error: unknown) => {
      options.report(`a log-in failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      client.drop("authentication-failure");
    });
  });
};
