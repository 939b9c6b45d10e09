import { EndpointError } from "../../errors.ts";
import { Circuit } from "./back-off.ts";
import type { BackOffOptions } from "./back-off.ts";
import type { SqlConnection } from "./connection.ts";
import { stopped, throwIfStopped, unavailable } from "./errors.ts";
import { checkHealth } from "./statements.ts";

export interface PoolOptions {
  readonly size: number;
  /** How long to wait for a connection that is in use, and for one to be made. */
  readonly waitMs: number;
  /** A connection that was idle for longer is asked for a sign of life first. */
  readonly checkAfterIdleMs: number;
  readonly closeAfterIdleMs: number;
  readonly backOff: BackOffOptions;
}

/** A connection that takes longer to say anything is replaced: a new one is made sooner than that. */
const longestHealthCheckMs = 3000;

export type OpenConnection = (onLost: (connection: SqlConnection) => void) => Promise<SqlConnection>;

interface Idle {
  readonly connection: SqlConnection;
  readonly since: number;
  readonly timer: NodeJS.Timeout;
}

/** A connection on loan: nobody else uses it until `release`, which may be called as soon as the last request was made. */
export interface Lease {
  readonly connection: SqlConnection;
  /** Counts what happened to the pool's connections; what was learnt of the site in another generation is out of date. */
  readonly generation: number;
  /** Gives it back once its last request has left the wire. A second call does nothing. */
  release(): void;
  /** Closes it instead: its session may be in a state that nobody else should meet. */
  discard(): void;
}

/** A capped set of connections to one server, made when needed. */
export class ConnectionPool {
  readonly #open: OpenConnection;
  readonly #options: PoolOptions;
  readonly #circuit: Circuit;
  readonly #idle: Idle[] = [];
  readonly #all = new Set<SqlConnection>();
  readonly #waiting: (() => void)[] = [];
  #connecting = 0;
  #generation = 0;
  /** Connections idle since before this are checked before use: one of the pool's broke, so others may have too. */
  #suspectBefore = 0;
  #closed = false;

  constructor(open: OpenConnection, options: PoolOptions) {
    this.#open = open;
    this.#options = options;
    this.#circuit = new Circuit(options.backOff, { now: () => performance.now(), random: () => Math.random() });
  }

  /** For `pep doctor` and tests. */
  counts(): { readonly open: number; readonly idle: number; readonly leased: number } {
    const open = this.#all.size + this.#connecting;
    return { open, idle: this.#idle.length, leased: open - this.#idle.length };
  }

  /** @throws EndpointError ResourceUnavailable at once while the server is known to be down */
  async lease(signal: AbortSignal): Promise<Lease> {
    const deadline = AbortSignal.timeout(this.#options.waitMs);
    for (;;) {
      throwIfStopped(signal);
      if (this.#closed) throw unavailable("The endpoint is stopping.", "the connection pool is closed");
      const idle = this.#takeIdle();
      if (idle !== undefined) {
        if (await this.#isAlive(idle, signal)) return this.#lend(idle.connection);
        this.#drop(idle.connection);
        continue;
      }
      if (this.counts().open < this.#options.size) return this.#lend(await this.#connect(signal));
      await this.#turn(signal, deadline);
    }
  }

  /** Closes every connection, those on loan too: the server has drained before. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const idle of this.#idle.splice(0)) clearTimeout(idle.timer);
    const all = [...this.#all];
    for (const connection of all) this.#drop(connection);
    for (const wake of this.#waiting.splice(0)) wake();
    await Promise.all(all.map((connection) => connection.idle));
  }

  #lend(connection: SqlConnection): Lease {
    let over = false;
    return {
      connection,
      generation: this.#generation,
      release: () => {
        if (over) return;
        over = true;
        void connection.idle.then(() => this.#giveBack(connection));
      },
      discard: () => {
        if (over) return;
        over = true;
        this.#drop(connection);
      },
    };
  }

  #giveBack(connection: SqlConnection): void {
    if (this.#closed || !connection.isUsable) {
      this.#drop(connection);
      return;
    }
    const timer = setTimeout(() => this.#drop(connection), this.#options.closeAfterIdleMs).unref();
    this.#idle.push({ connection, since: performance.now(), timer });
    this.#waiting.shift()?.();
  }

  /** The one used last: the others may then grow old enough to be closed. */
  #takeIdle(): Idle | undefined {
    const idle = this.#idle.pop();
    clearTimeout(idle?.timer);
    return idle;
  }

  async #isAlive({ connection, since }: Idle, signal: AbortSignal): Promise<boolean> {
    if (!connection.isUsable) return false;
    const old = performance.now() - since > this.#options.checkAfterIdleMs;
    if (!old && since > this.#suspectBefore) return true;
    try {
      const inTime = AbortSignal.timeout(Math.min(longestHealthCheckMs, this.#options.waitMs));
      await connection.all(checkHealth(), { signal: AbortSignal.any([signal, inTime]) });
      return connection.isUsable;
    } catch (error) {
      // Whatever the sign of life failed with, the answer is that there was none; the caller takes another connection.
      if (error instanceof EndpointError) return false;
      throw error;
    }
  }

  #drop(connection: SqlConnection): void {
    if (!this.#all.delete(connection)) return;
    const at = this.#idle.findIndex((idle) => idle.connection === connection);
    if (at >= 0) clearTimeout(this.#idle.splice(at, 1)[0]?.timer);
    connection.close();
    this.#waiting.shift()?.();
  }

  #lost(connection: SqlConnection): void {
    if (!this.#all.has(connection)) return;
    this.#generation += 1;
    this.#suspectBefore = performance.now();
    const isIdle = this.#idle.some((idle) => idle.connection === connection);
    // One on loan is dropped when it is released: its last request may still want to report.
    if (isIdle) this.#drop(connection);
  }

  async #connect(signal: AbortSignal): Promise<SqlConnection> {
    const { closedBy } = this.#circuit;
    if (closedBy !== undefined) {
      this.#waiting.shift()?.(); // The next in line learns it at once as well.
      throw new EndpointError("ResourceUnavailable", "The site database is not available.", {
        cause: closedBy.failure,
      });
    }
    this.#connecting += 1;
    const attempt = this.#circuit.attempt(() => this.#open((connection) => this.#lost(connection)));
    const adopted = attempt
      .finally(() => {
        this.#connecting -= 1;
      })
      .then(
        (connection) => {
          if (this.#closed) {
            connection.close();
            throw unavailable("The endpoint is stopping.", "the connection pool is closed");
          }
          this.#all.add(connection);
          return connection;
        },
        (error: unknown) => {
          this.#waiting.shift()?.();
          throw error;
        },
      );
    const aborted = Promise.withResolvers<never>();
    const onAbort = (): void => aborted.reject(stopped(signal));
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await Promise.race([adopted, aborted.promise]);
    } catch (error) {
      // Nobody waits for this connection any more. The pool keeps it for the next request.
      if (signal.aborted)
        adopted.then(
          (connection) => this.#giveBack(connection),
          () => undefined, // The circuit has counted it, and nobody waits.
        );
      throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Waits until a connection may be free. */
  async #turn(signal: AbortSignal, deadline: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    const either = AbortSignal.any([signal, deadline]);
    either.addEventListener("abort", () => resolve(), { once: true });
    if (either.aborted) resolve();
    await promise;
    const at = this.#waiting.indexOf(resolve);
    if (at >= 0) this.#waiting.splice(at, 1);
    if (signal.aborted || deadline.aborted) {
      // The turn may have been given just now: hand it on instead of losing it.
      if (at < 0) this.#waiting.shift()?.();
      throwIfStopped(signal);
      throw unavailable(
        "The site database is busy. Run the command again.",
        `all ${this.#options.size} connections were in use for ${this.#options.waitMs} ms`,
      );
    }
  }
}
