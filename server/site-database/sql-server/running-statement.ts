import { EndpointError } from "../../errors.ts";
import type { RunningRequest, Wire } from "./driver.ts";
import { ReaderStalled, requestFailure, stopped, timedOut } from "./errors.ts";
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

/** The server sent another result than the statement asks for. */
const unexpectedColumns = (statement: Statement, columns: readonly string[]): EndpointError =>
  new EndpointError("InvalidResult", "The site database gave an unexpected answer.", {
    cause: new Error(`${statement.name}: columns ${columns.join(", ").slice(0, 200)}`),
  });

const isExpected = ({ columns: wanted }: Statement, columns: readonly string[]): boolean =>
  wanted === undefined || (wanted.length === columns.length && wanted.every((name, i) => columns[i] === name));

interface StatementParts {
  readonly wire: Wire;
  readonly timeouts: Timeouts;
  readonly signal: AbortSignal;
  readonly batchRows: number;
  /** Whether the connection has ended. */
  readonly isLost: () => boolean;
  readonly closeConnection: () => void;
  /** Called once the wire is free again, or gone. */
  readonly settle: () => void;
}

/** One statement on the wire: its rows, its time limits, its cancel and its end. */
export class RunningStatement {
  readonly #statement: Statement;
  readonly #parts: StatementParts;
  readonly #feed: RowFeed;
  #request: RunningRequest | undefined;
  #timer: NodeJS.Timeout | undefined;
  #over = false;
  #givenUp = false;

  constructor(statement: Statement, parts: StatementParts) {
    this.#statement = statement;
    this.#parts = parts;
    this.#feed = new RowFeed({
      batchRows: parts.batchRows,
      pause: () => this.#request?.pause(),
      resume: () => this.#request?.resume(),
    });
  }

  send(): void {
    const { wire, signal, timeouts } = this.#parts;
    signal.addEventListener("abort", this.#onAbort, { once: true });
    this.#watch(timeouts.requestTimeoutMs);
    try {
      this.#request = wire.send(this.#statement, {
        onColumns: (columns) => this.#onColumns(columns),
        onRow: (values) => this.#feed.row(values),
        onEnd: (error) => this.#onEnd(error),
      });
    } catch (error) {
      this.#onEnd(error instanceof Error ? error : new Error(String(error)));
    }
  }

  next(): Promise<RowBatch | undefined> {
    return this.#feed.next();
  }

  cancel(): void {
    this.#giveUp(new EndpointError("OperationStopped", "The command was stopped."));
  }

  readonly #onAbort = (): void => this.#giveUp(stopped(this.#parts.signal));

  #giveUp(failure: Error, afterReadyRows = false): void {
    if (this.#over || this.#givenUp) return;
    this.#givenUp = true;
    this.#feed.end(failure, { afterReadyRows });
    this.#stopWatching();
    // The driver closes the connection itself when the server ignores a cancel; this is for the case that it does not.
    this.#timer = setTimeout(this.#parts.closeConnection, this.#parts.timeouts.cancelTimeoutMs * 2);
    this.#request?.cancel();
  }

  #stopWatching(): void {
    clearTimeout(this.#timer);
    this.#parts.signal.removeEventListener("abort", this.#onAbort);
  }

  #watch(waitMs: number): void {
    const { arrivals, pulls } = this.#feed;
    this.#timer = setTimeout(() => {
      const feed = this.#feed;
      if (feed.waitsForReader && feed.pulls === pulls) this.#giveUp(new ReaderStalled(), true);
      else if (!feed.waitsForReader && feed.arrivals === arrivals) {
        const what = arrivals === 0 ? "no answer" : "the server stalled";
        this.#giveUp(timedOut(new Error(`${this.#statement.name}: ${what} for ${waitMs} ms`)));
      } else this.#watch(this.#parts.timeouts.stallTimeoutMs);
    }, waitMs);
  }

  #onColumns(columns: readonly string[]): void {
    if (this.#givenUp) return;
    if (!isExpected(this.#statement, columns)) {
      this.#giveUp(unexpectedColumns(this.#statement, columns));
      return;
    }
    this.#feed.columns(columns);
    // The answer has begun: from here on it is stalls that count.
    clearTimeout(this.#timer);
    this.#watch(this.#parts.timeouts.stallTimeoutMs);
  }

  #onEnd(error: Error | undefined): void {
    this.#over = true;
    this.#stopWatching();
    // In a later turn: tedious reports a broken connection's request first and that it is broken afterwards.
    setImmediate(() => {
      this.#feed.end(error === undefined ? undefined : requestFailure(error, this.#statement, this.#parts.isLost()));
      this.#parts.settle();
    });
  }
}
