import type { AuthContext, Connection, PublicKeyAuthContext } from "ssh2";
import type { Origin } from "../audit/event.ts";
import type { AuthenticatedConnection, Authenticator } from "../session/contract.ts";
import type { ClientSocket } from "./client-socket.ts";
import type { Limits } from "./limits.ts";
import { decodePublicKey, decodeSignedRequest, fingerprintOf, mayUse, verifySignature } from "./public-key.ts";
import type { PublicKey } from "./public-key.ts";
import { readableText } from "./readable-text.ts";
import type { Recorder } from "./recorder.ts";
import { disconnectReason } from "./ssh2-internals.ts";
import type { Transport } from "./ssh2-internals.ts";
import { WireError } from "./wire.ts";

type Verdict =
  /** The key would do, but nothing is proven: the client may now sign. */
  | { readonly kind: "probe"; readonly algorithm: string }
  | { readonly kind: "proved"; readonly connectedUser: string; readonly keyFingerprint: string }
  | { readonly kind: "refused"; readonly reason: string; readonly keyFingerprint?: string };

/** The name the client sent: ssh2 rewrites both rsa-sha2 names to `ssh-rsa` and keeps the hash beside. */
const requestedAlgorithm = (context: PublicKeyAuthContext): string =>
  context.hashAlgo === undefined ? context.key.algo : `rsa-sha2-${context.hashAlgo.replace(/^sha/, "")}`;

const checkProof = (context: PublicKeyAuthContext, algorithm: string, key: PublicKey): string | undefined => {
  if (context.blob === undefined || context.signature === undefined) return "no signature";
  const signed = decodeSignedRequest(context.blob);
  if (signed.user !== context.username || signed.algorithm !== algorithm || !signed.keyBlob.equals(key.blob)) {
    return "the signed request is another one";
  }
  return verifySignature(key, algorithm, context.blob, context.signature) ? undefined : "the signature is wrong";
};

const judge = async (context: PublicKeyAuthContext, authenticator: Authenticator): Promise<Verdict> => {
  const rawKey: unknown = context.key.data; // undefined when the request held none, whatever the types say
  if (!Buffer.isBuffer(rawKey) || rawKey.length === 0) return { kind: "refused", reason: "no key" };
  const keyFingerprint = fingerprintOf(rawKey);
  const refused = (reason: string): Verdict => ({ kind: "refused", reason, keyFingerprint });
  const algorithm = requestedAlgorithm(context);
  try {
    const key = decodePublicKey(rawKey);
    if (!mayUse(algorithm, key)) return refused(`${readableText(algorithm, 40)} is not accepted with this key`);
    const found = await authenticator.findUser(context.username, rawKey);
    if ("refused" in found) return refused(found.refused);
    if (context.signature === undefined) return { kind: "probe", algorithm };
    const wrong = checkProof(context, algorithm, key);
    return wrong === undefined
      ? { kind: "proved", connectedUser: found.connectedUser, keyFingerprint }
      : refused(wrong);
  } catch (error) {
    if (error instanceof WireError) return refused(error.message);
    throw error;
  }
};

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
    const timer = setTimeout(() => {
      if (stillThere()) context.reject(["publickey"]);
    }, delayMs);
    client.socket.once("close", () => clearTimeout(timer));
  };

  const refuse = (context: AuthContext, reason: string, keyFingerprint?: string): void => {
    void recorder.record({
      type: "authentication",
      ...options.origin(),
      claimedUser: readableText(context.username, 64),
      outcome: "refused",
      method: context.method,
      reason,
      ...(keyFingerprint === undefined ? {} : { keyFingerprint }),
    });
    tries += 1;
    if (tries < limits.authenticationTries) {
      reject(context, limits.failureDelayMs);
      return;
    }
    options.transport.sendDisconnect(disconnectReason.noMoreAuthenticationMethods, "Too many authentication failures");
    client.socket.end();
  };

  const accept = async (context: AuthContext, connectedUser: string, keyFingerprint: string): Promise<void> => {
    const recorded = recorder.record({
      type: "authentication",
      ...options.origin(),
      connectedUser,
      outcome: "accepted",
      method: context.method,
      keyFingerprint,
    });
    if (!(await options.opened) || !(await recorded)) {
      refuse(context, "the log-in could not be recorded", keyFingerprint);
      return;
    }
    if (!stillThere()) return;
    options.onProved({
      connectionId: client.connectionId,
      connectedUser,
      clientAddress: client.address,
      keyFingerprint,
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
    const verdict = await judge(context, options.authenticator);
    if (!stillThere()) return;
    if (verdict.kind === "refused") {
      refuse(context, verdict.reason, verdict.keyFingerprint);
    } else if (verdict.kind === "proved") {
      await accept(context, verdict.connectedUser, verdict.keyFingerprint);
    } else {
      // ssh2 would answer `ssh-rsa` to an rsa-sha2 probe; OpenSSH 10, dbclient and asyncssh then refuse to sign.
      context.key.algo = verdict.algorithm;
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
