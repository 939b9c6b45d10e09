import type { ConnectionConfiguration } from "tedious";
import { EndpointError } from "../../errors.ts";
import type { Driver, RunningRequest, Wire } from "./driver.ts";
import { connectFailure, ReaderStalled, requestFailure, stopped, throwIfStopped, timedOut } from "./errors.ts";
import { RowFeed } from "./row-feed.ts";
import type { RowBatch } from "./row-feed.ts";
import type { Statement } from "./statement.ts";

export interface Timeouts {
  /** Until an answer begins. */
  readonly requestTimeoutMs: number;
  /** Without a row from the server, or without a pull from the reader, for this long: the request is given up. */
  readonly stallTimeoutMs: number;
  /** Until the server acknowledges a cancel; then the connection is closed. */
  readonly cancelTimeoutMs: number;
}

export interface RequestOptions {
  readonly signal: AbortSignal;
  /** Rows per batch. */
  readonly batchRows?: number;
}

/** A request under way. `settled` resolves when the connection is free again (or gone); it never rejects. */
export interface Result {
  next(): Promise<RowBatch | undefined>;
  /** Gives up what has not been read. */
  cancel(): void;
  readonly settled: Promise<void>;
}

const usualBatchRows = 256;

/** The server sent another result than the statement asks for. */
const unexpectedColumns = (statement: Statement, columns: readonly string[]): EndpointError =>
  new EndpointError("InvalidResult", "The site database gave an unexpected answer.", {
    cause: new Error(`${statement.name}: columns ${columns.join(", ").slice(0, 200)}`),
  });

/** One connection, one request at a time: a second one waits until the first has left the wire, cancelled ones included. */
export class SqlConnection {
  readonly #wire: Wire;
  readonly #timeouts: Timeouts;
  #lost = false;
  #queue: Promise<void> = Promise.resolve();

  private constructor(wire: Wire, timeouts: Timeouts) {
    this.#wire = wire;
    this.#timeouts = timeouts;
  }

  /** Connects, checks the server's certificate and logs in. @throws EndpointError ResourceUnavailable */
  static async open(
    driver: Driver,
    configuration: ConnectionConfiguration,
    timeouts: Timeouts,
    onLost: (connection: SqlConnection) => void,
  ): Promise<SqlConnection> {
    try {
      const wire = driver.createWire(configuration, () => {
        connection.#lost = true;
        onLost(connection);
      });
      const connection = new SqlConnection(wire, timeouts);
      await wire.open();
      return connection;
    } catch (error) {
      throw connectFailure(error);
    }
  }

  get isUsable(): boolean {
    return !this.#lost;
  }

  /** Resolves when no request is on the wire. */
  get idle(): Promise<void> {
    return this.#queue;
  }

  close(): void {
    this.#lost = true;
    this.#wire.close();
  }

  /** Sends a statement once the requests before it have ended. */
  async start(statement: Statement, { signal, batchRows = usualBatchRows }: RequestOptions): Promise<Result> {
    const before = this.#queue;
    const { promise: settled, resolve: settle } = Promise.withResolvers<void>();
    this.#queue = settled;
    await before;
    if (signal.aborted || this.#lost) {
      settle();
      throwIfStopped(signal);
      throw requestFailure(new Error("the connection has ended"), statement, true);
    }
    return this.#send(statement, signal, batchRows, settled, settle);
  }

  #send(
    statement: Statement,
    signal: AbortSignal,
    batchRows: number,
    settled: Promise<void>,
    settle: () => void,
  ): Result {
    let request: RunningRequest | undefined;
    let timer: NodeJS.Timeout | undefined;
    let over = false;
    let givenUp = false;
    const feed = new RowFeed({
      batchRows,
      pause: () => request?.pause(),
      resume: () => request?.resume(),
    });
    const giveUp = (failure: Error, afterReadyRows = false): void => {
      if (over || givenUp) return;
      givenUp = true;
      feed.end(failure, { afterReadyRows });
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      // The driver closes the connection itself when the server ignores a cancel; this is for the case that it does not.
      timer = setTimeout(() => this.close(), this.#timeouts.cancelTimeoutMs * 2);
      request?.cancel();
    };
    const onAbort = (): void => giveUp(stopped(signal));
    const watch = (waitMs: number): void => {
      const { arrivals, pulls } = feed;
      timer = setTimeout(() => {
        if (feed.waitsForReader && feed.pulls === pulls) giveUp(new ReaderStalled(), true);
        else if (!feed.waitsForReader && feed.arrivals === arrivals)
          giveUp(
            timedOut(
              new Error(`${statement.name}: ${arrivals === 0 ? "no answer" : "the server stalled"} for ${waitMs} ms`),
            ),
          );
        else watch(this.#timeouts.stallTimeoutMs);
      }, waitMs);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    watch(this.#timeouts.requestTimeoutMs);
    const onEnd = (error: Error | undefined): void => {
      over = true;
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      // In a later turn: tedious reports a broken connection's request first and that it is broken afterwards.
      setImmediate(() => {
        feed.end(error === undefined ? undefined : requestFailure(error, statement, this.#lost));
        settle();
      });
    };
    try {
      request = this.#wire.send(statement, {
        onColumns: (columns) => {
          if (givenUp) return;
          const { columns: wanted } = statement;
          if (
            wanted !== undefined &&
            (wanted.length !== columns.length || wanted.some((name, i) => columns[i] !== name))
          ) {
            giveUp(unexpectedColumns(statement, columns));
            return;
          }
          feed.columns(columns);
          // The answer has begun: from here on it is stalls that count.
          clearTimeout(timer);
          watch(this.#timeouts.stallTimeoutMs);
        },
        onRow: (values) => feed.row(values),
        onEnd,
      });
    } catch (error) {
      onEnd(error instanceof Error ? error : new Error(String(error)));
    }
    return {
      next: () => feed.next(),
      cancel: () => giveUp(new EndpointError("OperationStopped", "The command was stopped.")),
      settled,
    };
  }

  /** The whole answer. For results whose size is known to be small. */
  async all(statement: Statement, options: RequestOptions): Promise<readonly RowBatch[]> {
    const result = await this.start(statement, options);
    const batches: RowBatch[] = [];
    for (let batch = await result.next(); batch !== undefined; batch = await result.next()) batches.push(batch);
    await result.settled;
    return batches;
  }
}
