import type { AuthContext, Connection, KeyboardAuthContext, PublicKeyAuthContext } from "ssh2";
import type { LoginRefusal } from "../audit/refusal-reasons.ts";
import type {
  AcceptedCode,
  Authenticator,
  KeyAttempt,
  RefusedKey,
  SecondFactor,
  AuthenticatedConnection,
} from "../identity/log-in.ts";
import { askForCode, tellOfRecoveryCode } from "./ask-code.ts";
import type { ClientSocket } from "./client-socket.ts";
import { readAttempt, requestedAlgorithm } from "./key-attempt.ts";
import type { Limits } from "./limits.ts";
import type { SignedKey } from "./log-in-progress.ts";
import { partyOf, readableDetail, shownOf, type LogInRecord, type Shown } from "./log-in-record.ts";
import { disconnectReason } from "./ssh2-internals.ts";
import type { Transport } from "./ssh2-internals.ts";

const notRecorded = "the log-in could not be recorded";

export interface LoginOptions {
  readonly client: ClientSocket;
  readonly connection: Connection;
  readonly transport: Transport;
  readonly authenticator: Authenticator;
  readonly secondFactor: SecondFactor;
  readonly record: LogInRecord;
  readonly limits: Limits;
  readonly report: (problem: string) => void;
}

/**
 * Decides who a client is: a public key that signed this very connection, and after it, where the roles ask for one, a code.
 * ssh2 verifies no signature; its `accept()` on a proof means "logged in".
 */
class LogIn {
  readonly #options: LoginOptions;
  readonly #client: ClientSocket;

  constructor(options: LoginOptions) {
    this.#options = options;
    this.#client = options.client;
  }

  get stillThere(): boolean {
    return !this.#client.gone && this.#client.socket.writable;
  }

  async decide(context: AuthContext): Promise<void> {
    // The first request of most clients, to learn the methods: neither a try nor worth a line in the log.
    if (context.method === "none") {
      this.#reject(context, 0);
    } else if (context.method === "keyboard-interactive") {
      // RFC 4252 §5 lets a client give up a question by another request. ssh2 then no longer knows which answer belongs to what.
      context.on("abort", () => this.#client.drop("question-aborted"));
      await this.#decideCode(context);
    } else if (context.method === "publickey") {
      await this.#decideKey(context);
    } else {
      // ssh2's hostbased contexts look like publickey ones.
      this.#refuse(context, "only public keys are accepted");
    }
  }

  async #decideKey(context: PublicKeyAuthContext): Promise<void> {
    const attempt = readAttempt(context, this.#client.address);
    if ("kind" in attempt) {
      this.#refuseKey(context, attempt);
      return;
    }
    const verdict = await this.#options.authenticator.judge(attempt);
    if (!this.stillThere) return;
    switch (verdict.kind) {
      case "refused":
        this.#refuseKey(context, verdict);
        return;
      case "probe":
        // ssh2 would answer `ssh-rsa` to an rsa-sha2 probe; OpenSSH 10, dbclient and asyncssh then refuse to sign.
        context.key.algo = requestedAlgorithm(context);
        context.accept();
        return;
      case "proved": {
        const isRequired = this.#options.secondFactor.isRequired(verdict.connectedUser);
        await (isRequired
          ? this.#continueWithCode(context, { attempt, verdict })
          : this.#accept(context, { attempt, verdict }));
      }
    }
  }

  async #continueWithCode(context: AuthContext, key: SignedKey): Promise<void> {
    const shown = shownOf(key.verdict);
    if (!this.#options.secondFactor.isEnrolled(key.verdict.connectedUser)) {
      this.#refuse(context, "a second factor is required, and none is enrolled", shown);
      return;
    }
    if (!(await this.#options.record.codeOwed(context, shown))) {
      this.#refuse(context, notRecorded, shown);
      return;
    }
    if (!this.stillThere) return;
    this.#client.logIn.oweCode(key);
    context.reject(["keyboard-interactive"], true);
  }

  async #decideCode(context: KeyboardAuthContext): Promise<void> {
    const { stage } = this.#client.logIn;
    // ssh2 disconnects when the name changes; that a code counts for its own user must not rest on it alone.
    if (stage.kind !== "code-owed" || context.username !== stage.key.attempt.claimedUser) {
      this.#refuse(context, "a key must come before a code");
      return;
    }
    const { key, hint } = stage;
    const party = partyOf(key.verdict);
    const { keyFingerprint } = party;
    const { secondFactor, record } = this.#options;
    const waitMs = secondFactor.waitMs(party);
    if (waitMs > 0) {
      // A refusal would make OpenSSH sign and ask again, three times; these words it shows once.
      void record.refused(context, "too many wrong codes", { keyFingerprint });
      this.#end(`Too many wrong codes. Try again in ${Math.ceil(waitMs / 1000)} seconds.`);
      return;
    }
    const code = await askForCode(context, { secondFactor, party, hint });
    const used = code?.kind === "accepted" && code.factor === "recovery-code" ? code : undefined;
    const isRecorded = used === undefined || (await record.recoveryCodeUsed(context, used, keyFingerprint));
    if (!this.stillThere) return;
    this.#client.logIn.codeJudged(code?.kind === "refused" ? code.hint : undefined);
    if (code === undefined || code.kind === "refused") {
      const { reason, detail } = code ?? { reason: "no code was given" as const };
      this.#refuse(context, reason, { keyFingerprint, ...readableDetail(detail) });
      return;
    }
    if (!isRecorded) {
      this.#refuse(context, notRecorded, { keyFingerprint });
      return;
    }
    if (used !== undefined) await tellOfRecoveryCode(context, used.recoveryCodesLeft);
    await this.#acceptAgain(context, key.attempt, { code, keyFingerprint });
  }

  /** While the code was typed the key may have been revoked, or have expired. */
  async #acceptAgain(
    context: AuthContext,
    attempt: KeyAttempt,
    { code, keyFingerprint }: { readonly code: AcceptedCode; readonly keyFingerprint: string },
  ): Promise<void> {
    const again = await this.#options.authenticator.judge(attempt);
    if (!this.stillThere) return;
    if (again.kind === "proved") await this.#accept(context, { attempt, verdict: again }, code);
    else this.#refuse(context, again.kind === "refused" ? again.reason : "the signature is wrong", { keyFingerprint });
  }

  async #accept(context: AuthContext, key: SignedKey, code?: AcceptedCode): Promise<void> {
    if (!(await this.#options.record.accepted(context, key.verdict, code))) {
      this.#refuse(context, notRecorded, shownOf(key.verdict));
      return;
    }
    if (!this.stillThere) return;
    this.#client.logIn.logIn(this.#identityOf(key, code)); // before the client is told
    context.accept();
  }

  #identityOf({ attempt, verdict }: SignedKey, code: AcceptedCode | undefined): AuthenticatedConnection {
    const { authenticator, secondFactor } = this.#options;
    const offered = { ...attempt, proof: undefined };
    return {
      connectionId: this.#client.connectionId,
      clientAddress: this.#client.address,
      ...partyOf(verdict),
      ...(verdict.mayHaveTerminal ? {} : { withoutTerminal: true }),
      ...(code === undefined ? {} : { secondFactor: true }),
      ...(verdict.forcedCommand === undefined ? {} : { forcedCommand: verdict.forcedCommand }),
      ...(verdict.expiresAt === undefined ? {} : { expiresAt: verdict.expiresAt }),
      refusalNow: () =>
        authenticator.refusalNow(offered) ??
        (code === undefined && secondFactor.isRequired(verdict.connectedUser)
          ? "a second factor is required"
          : undefined),
    };
  }

  #refuseKey(context: AuthContext, verdict: RefusedKey): void {
    this.#refuse(context, verdict.reason, { ...shownOf(verdict), ...readableDetail(verdict.detail) });
  }

  #refuse(context: AuthContext, reason: LoginRefusal, shown: Shown = {}): void {
    const { limits, record } = this.#options;
    void record.refused(context, reason, shown);
    const tries = this.#client.logIn.refused(reason === notRecorded ? "ours" : "client");
    if (tries < limits.authenticationTries) this.#reject(context, limits.failureDelayMs);
    else this.#end("Too many authentication failures");
  }

  #reject(context: AuthContext, delayMs: number): void {
    const answer = (): void => {
      const isCodeOwed = this.#client.logIn.stage.kind === "code-owed";
      if (this.stillThere) context.reject([isCodeOwed ? "keyboard-interactive" : "publickey"]);
    };
    if (delayMs === 0) {
      answer();
      return;
    }
    const timer = setTimeout(answer, delayMs);
    this.#client.socket.once("close", () => clearTimeout(timer));
  }

  #end(words: string): void {
    this.#options.transport.sendDisconnect(disconnectReason.noMoreAuthenticationMethods, words);
    this.#client.socket.end();
  }
}

/** Takes over the log-in of one client from ssh2. */
export const decideLogin = (options: LoginOptions): void => {
  const logIn = new LogIn(options);
  options.connection.on("authentication", (context) => {
    if (!logIn.stillThere) return; // ssh2 goes on emitting what was pipelined before a disconnect
    logIn.decide(context).catch((error: unknown) => {
      options.report(`a log-in failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      options.client.drop("authentication-failure");
    });
  });
};
