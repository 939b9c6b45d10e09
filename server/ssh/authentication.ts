import type { AuthContext, Connection, KeyboardAuthContext, PublicKeyAuthContext } from "ssh2";
import type { Origin } from "../audit/event.ts";
import type { LoginRefusal } from "../audit/refusal-reasons.ts";
import type { Authenticator, CodeVerdict, KeyAttempt, KeyVerdict, SecondFactor } from "../identity/log-in.ts";
import type { AuthenticatedConnection } from "../session/contract.ts";
import { askForCode, tellOfRecoveryCode } from "./ask-code.ts";
import type { ClientSocket } from "./client-socket.ts";
import type { Limits } from "./limits.ts";
import { readableText } from "./readable-text.ts";
import type { Recorder } from "./recorder.ts";
import { partyOf, readableDetail, shownOf, type Shown } from "./shown-key.ts";
import { signatureIn } from "../identity/signature.ts";
import { disconnectReason } from "./ssh2-internals.ts";
import type { Transport } from "./ssh2-internals.ts";
import { WireError } from "../identity/wire.ts";

/** The name the client sent: ssh2 rewrites both rsa-sha2 names to `ssh-rsa` and keeps the hash beside. */
const requestedAlgorithm = (context: PublicKeyAuthContext): string => {
  const raw: unknown = context.key.algo; // undefined when the request held none, whatever the types say
  if (context.hashAlgo !== undefined) return `rsa-sha2-${context.hashAlgo.replace(/^sha/, "")}`;
  return typeof raw === "string" ? raw : "";
};

/** What ssh2 read, as the client sent it. @throws WireError */
const attemptOf = (context: PublicKeyAuthContext, clientAddress: string): KeyAttempt => {
  const rawKey: unknown = context.key.data; // undefined when the request held none
  const algorithm = requestedAlgorithm(context);
  const { blob, signature } = context;
  return {
    claimedUser: context.username,
    clientAddress,
    algorithm,
    keyBlob: Buffer.isBuffer(rawKey) ? rawKey : Buffer.alloc(0),
    proof: signature === undefined ? undefined : { signed: blob ?? Buffer.alloc(0), signature: signatureIn(signature) },
  };
};

type Proved = Extract<KeyVerdict, { readonly kind: "proved" }>;

/** A key that signed for this connection, and may be judged again. */
interface ProvedKey {
  readonly attempt: KeyAttempt;
  readonly verdict: Proved;
}

const judge = async (
  context: PublicKeyAuthContext,
  clientAddress: string,
  authenticator: Authenticator,
): Promise<ProvedKey | Exclude<KeyVerdict, Proved>> => {
  let attempt: KeyAttempt;
  try {
    attempt = attemptOf(context, clientAddress);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return { kind: "refused", reason: "the signature is wrong", detail: error.message };
  }
  const verdict = await authenticator.judge(attempt);
  return verdict.kind === "proved" ? { attempt, verdict } : verdict;
};

const notRecorded = "the log-in could not be recorded";

export interface LoginOptions {
  readonly client: ClientSocket;
  readonly connection: Connection;
  readonly transport: Transport;
  readonly authenticator: Authenticator;
  readonly secondFactor: SecondFactor;
  readonly recorder: Recorder;
  readonly origin: () => Origin;
  /** Whether the opening of this connection is on the record; a log-in may not precede it. */
  readonly opened: Promise<boolean>;
  readonly limits: Limits;
  /** What the banner said, as a digest; absent where there was none. */
  readonly noticeShown: string | undefined;
  readonly report: (problem: string) => void;
  /** Called just before the client is told. */
  readonly onProved: (identity: AuthenticatedConnection) => void;
}

/**
 * Decides who a client is: a public key that signed this very connection, and after it, where the roles ask for one, a code.
 * ssh2 verifies no signature; its `accept()` on a proof means "logged in".
 */
export const decideLogin = (options: LoginOptions): void => {
  const { client, limits, recorder } = options;
  let tries = 0;
  /** Set while a code is awaited: partial success of RFC 4252 §5.1. */
  let provedKey: ProvedKey | undefined;
  /** What the client may know about its last code. */
  let hint: string | undefined;

  const stillThere = (): boolean => !client.gone && client.socket.writable;

  const reject = (context: AuthContext, delayMs: number): void => {
    const answer = (): void => {
      if (stillThere()) context.reject([provedKey === undefined ? "publickey" : "keyboard-interactive"]);
    };
    if (delayMs === 0) {
      answer();
      return;
    }
    const timer = setTimeout(answer, delayMs);
    client.socket.once("close", () => clearTimeout(timer));
  };

  const end = (words: string): void => {
    options.transport.sendDisconnect(disconnectReason.noMoreAuthenticationMethods, words);
    client.socket.end();
  };

  const recordRefusal = (context: AuthContext, reason: LoginRefusal, shown: Shown): void => {
    void recorder.record({
      type: "authentication",
      ...options.origin(),
      claimedUser: readableText(context.username, 64),
      outcome: "refused",
      method: context.method,
      reason,
      ...shown,
    });
  };

  const refuse = (context: AuthContext, reason: LoginRefusal, shown: Shown = {}): void => {
    recordRefusal(context, reason, shown);
    tries += 1;
    if (reason !== notRecorded) client.markFailedLogin();
    if (tries < limits.authenticationTries) {
      reject(context, limits.failureDelayMs);
      return;
    }
    end("Too many authentication failures");
  };

  const accept = async (
    context: AuthContext,
    { attempt, verdict }: ProvedKey,
    code?: Extract<CodeVerdict, { kind: "accepted" }>,
  ): Promise<void> => {
    const { connectedUser } = verdict;
    const shown = shownOf(verdict);
    const durable = recorder.record({
      type: "authentication",
      ...options.origin(),
      connectedUser,
      outcome: "accepted",
      method: context.method,
      ...(options.noticeShown === undefined ? {} : { noticeShown: options.noticeShown }),
      ...shown,
      ...(code === undefined ? {} : { secondFactor: code.factor }),
      ...(code?.factor === "recovery-code" ? { recoveryCodesLeft: code.recoveryCodesLeft } : {}),
    });
    if (!(await options.opened) || !(await durable)) {
      refuse(context, notRecorded, shown);
      return;
    }
    if (!stillThere()) return;
    const offered = { ...attempt, proof: undefined };
    options.onProved({
      connectionId: client.connectionId,
      clientAddress: client.address,
      ...partyOf(verdict),
      ...(verdict.mayHaveTerminal ? {} : { withoutTerminal: true }),
      ...(code === undefined ? {} : { secondFactor: true }),
      ...(verdict.forcedCommand === undefined ? {} : { forcedCommand: verdict.forcedCommand }),
      ...(verdict.expiresAt === undefined ? {} : { expiresAt: verdict.expiresAt }),
      refusalNow: () =>
        options.authenticator.refusalNow(offered) ??
        (code === undefined && options.secondFactor.isRequired(connectedUser)
          ? "a second factor is required"
          : undefined),
    });
    context.accept();
  };

  /** The key has signed; a code must follow. Recorded, because a key without its code may be a stolen key. */
  const continueWithCode = async (context: AuthContext, proved: ProvedKey): Promise<void> => {
    const shown = shownOf(proved.verdict);
    if (!options.secondFactor.isEnrolled(proved.verdict.connectedUser)) {
      refuse(context, "a second factor is required, and none is enrolled", shown);
      return;
    }
    const durable = recorder.record({
      type: "authentication",
      ...options.origin(),
      claimedUser: readableText(context.username, 64),
      outcome: "continued",
      method: context.method,
      ...shown,
    });
    if (!(await options.opened) || !(await durable)) {
      refuse(context, "the log-in could not be recorded", shown);
      return;
    }
    if (!stillThere()) return;
    provedKey = proved;
    client.markKeyProved();
    context.reject(["keyboard-interactive"], true);
  };

  /** A recovery code is used up: on the record before its giver hears of it, who may hang up then. */
  const recordUse = (
    context: AuthContext,
    { factor, recoveryCodesLeft }: Extract<CodeVerdict, { factor: "recovery-code" }>,
    keyFingerprint: string,
  ): Promise<boolean> =>
    recorder.record({
      type: "authentication",
      ...options.origin(),
      claimedUser: readableText(context.username, 64),
      outcome: "continued",
      method: context.method,
      keyFingerprint,
      secondFactor: factor,
      recoveryCodesLeft,
    });

  const decideCode = async (context: KeyboardAuthContext): Promise<void> => {
    // ssh2 disconnects when the name changes; that a code counts for its own user must not rest on it alone.
    if (provedKey === undefined || context.username !== provedKey.attempt.claimedUser) {
      refuse(context, "a key must come before a code");
      return;
    }
    const { attempt } = provedKey;
    const party = partyOf(provedKey.verdict);
    const { keyFingerprint } = party;
    const { secondFactor } = options;
    const waitMs = secondFactor.waitMs(party);
    if (waitMs > 0) {
      // A refusal would make OpenSSH sign and ask again, three times; these words it shows once.
      recordRefusal(context, "too many wrong codes", { keyFingerprint });
      end(`Too many wrong codes. Try again in ${Math.ceil(waitMs / 1000)} seconds.`);
      return;
    }
    const code = await askForCode(context, { secondFactor, party, hint });
    const used = code?.kind === "accepted" && code.factor === "recovery-code" ? code : undefined;
    const isRecorded = used === undefined || (await recordUse(context, used, keyFingerprint));
    if (!stillThere()) return;
    hint = code?.kind === "refused" ? code.hint : undefined;
    if (code === undefined || code.kind === "refused") {
      const { reason, detail } = code ?? { reason: "no code was given" as const };
      refuse(context, reason, { keyFingerprint, ...readableDetail(detail) });
      return;
    }
    if (!isRecorded) {
      refuse(context, notRecorded, { keyFingerprint });
      return;
    }
    if (used !== undefined) await tellOfRecoveryCode(context, used.recoveryCodesLeft);
    // While the code was typed the key may have been revoked, or have expired.
    const again = await options.authenticator.judge(attempt);
    if (!stillThere()) return;
    if (again.kind === "proved") await accept(context, { attempt, verdict: again }, code);
    else refuse(context, again.kind === "refused" ? again.reason : "the signature is wrong", { keyFingerprint });
  };

  const decide = async (context: AuthContext): Promise<void> => {
    // The first request of most clients, to learn the methods: neither a try nor worth a line in the log.
    if (context.method === "none") {
      reject(context, 0);
      return;
    }
    if (context.method === "keyboard-interactive") {
      // RFC 4252 §5 lets a client give up a question by another request. ssh2 then no longer knows which answer belongs to what.
      context.on("abort", () => client.drop("question-aborted"));
      await decideCode(context);
      return;
    }
    // ssh2's hostbased contexts look like publickey ones.
    if (context.method !== "publickey") {
      refuse(context, "only public keys are accepted");
      return;
    }
    const judged = await judge(context, client.address, options.authenticator);
    if (!stillThere()) return;
    if ("attempt" in judged) {
      if (options.secondFactor.isRequired(judged.verdict.connectedUser)) await continueWithCode(context, judged);
      else await accept(context, judged);
    } else if (judged.kind === "refused") {
      const { reason, detail } = judged;
      refuse(context, reason, { ...shownOf(judged), ...readableDetail(detail) });
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
