import type { ConnectionConfiguration } from "tedious";
import type { Driver, Wire } from "./driver.ts";
import { connectFailure, requestFailure, throwIfStopped } from "./errors.ts";
import type { RowBatch } from "./row-feed.ts";
import { RunningStatement } from "./running-statement.ts";
import type { Timeouts } from "./running-statement.ts";
import type { Statement } from "./statement.ts";

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
    const running = new RunningStatement(statement, {
      wire: this.#wire,
      timeouts: this.#timeouts,
      signal,
      batchRows,
      isLost: () => this.#lost,
      closeConnection: () => this.close(),
      settle,
    });
    running.send();
    return { next: () => running.next(), cancel: () => running.cancel(), settled };
  }

  /** The whole answer. For results whose size is known to be small. */
  async all(statement: Statement, options: RequestOptions): Promise<readonly RowBatch[]> {
    const result = await this.start(statement, options);
    const batches: RowBatch[] = [];
    for (let batch = await result.next(); batch !== undefined; batch = await result.next()) batches.push(batch);
    await result.settled;
    return batches;
  }

  /** All of its rows, whatever batches they came in. */
  async rows(statement: Statement, options: RequestOptions): Promise<RowBatch["rows"]> {
    return (await this.all(statement, options)).flatMap(({ rows }) => rows);
  }

  /** Empty where there is none. */
  async firstRow(statement: Statement, options: RequestOptions): Promise<readonly unknown[]> {
    return (await this.rows(statement, options))[0] ?? [];
  }
}
