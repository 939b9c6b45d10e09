import type { KeyAttempt, ProvedKey, AuthenticatedConnection } from "../identity/log-in.ts";

/** A key that signed for this connection, and may be judged again. */
export interface SignedKey {
  readonly attempt: KeyAttempt;
  readonly verdict: ProvedKey;
}

/** How far a client is. */
type Stage =
  | { readonly kind: "nobody" }
  /** Partial success of RFC 4252 §5.1: a code is owed. `hint` is what the client may know about its last one. */
  | { readonly kind: "code-owed"; readonly key: SignedKey; readonly hint: string | undefined }
  | { readonly kind: "logged-in"; readonly identity: AuthenticatedConnection }
  /** Logged in, and of no use to its user for now. */
  | { readonly kind: "sent-away"; readonly identity: AuthenticatedConnection };

/**
 * How far one client's log-in is: the only place that knows. It moves forward only. A step back would be a second log-in on one
 * connection, so it throws, and whoever asked for it drops the client.
 */
export class LogInProgress {
  #stage: Stage = { kind: "nobody" };
  #tries = 0;
  #failed = false;
  #onCodeOwed: (() => void) | undefined;
  readonly #onLoggedIn: ((identity: AuthenticatedConnection) => void)[] = [];

  get stage(): Stage {
    return this.#stage;
  }

  /** Undefined until everything that is asked for was proved. */
  get identity(): AuthenticatedConnection | undefined {
    return "identity" in this.#stage ? this.#stage.identity : undefined;
  }

  get isLoggedIn(): boolean {
    return this.identity !== undefined;
  }

  /** A log-in was asked for and refused, and that was the client's doing. */
  get failed(): boolean {
    return this.#failed;
  }

  /** @returns how many tries were refused */
  refused(fault: "client" | "ours"): number {
    if (fault === "client") this.#failed = true;
    this.#tries += 1;
    return this.#tries;
  }

  /** A key has signed, and a code is asked for next. Another key may sign meanwhile. */
  oweCode(key: SignedKey): void {
    const { kind } = this.#stage;
    if (kind !== "nobody" && kind !== "code-owed") throw new Error("a code after the log-in");
    this.#stage = { kind: "code-owed", key, hint: this.#stage.kind === "code-owed" ? this.#stage.hint : undefined };
    this.#onCodeOwed?.();
    this.#onCodeOwed = undefined; // once: another key's signature gives no more time
  }

  /** A code was looked at, right or wrong. */
  codeJudged(hint: string | undefined): void {
    if (this.#stage.kind !== "code-owed") throw new Error("a code that nobody owed");
    this.#stage = { ...this.#stage, hint };
  }

  logIn(identity: AuthenticatedConnection): void {
    if (this.isLoggedIn) throw new Error("a second log-in on one connection");
    this.#stage = { kind: "logged-in", identity };
    for (const listener of this.#onLoggedIn) listener(identity);
  }

  sendAway(): void {
    if (this.#stage.kind !== "logged-in") throw new Error("nobody to send away");
    this.#stage = { ...this.#stage, kind: "sent-away" };
  }

  /** Called at most once. */
  onCodeOwed(listener: () => void): void {
    this.#onCodeOwed = listener;
  }

  onLoggedIn(listener: (identity: AuthenticatedConnection) => void): void {
    this.#onLoggedIn.push(listener);
  }
}
