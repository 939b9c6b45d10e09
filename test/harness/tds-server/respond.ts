import { ByteWriter } from "./bytes.ts";
import type { MessageWriter } from "./packets.ts";
import {
  doneStatus,
  prepareColumns,
  tokenType,
  writeColumns,
  writeDone,
  writeMessage,
  writeReturnStatus,
  writeReturnValue,
  writeRow,
} from "./tokens.ts";
import type { Column, OutputParameter, PreparedColumn, ServerMessage } from "./tokens.ts";
import type { SqlValue } from "./types.ts";

/** How a test answers a request. The end of the answer is written when the test's function returns. */
export interface Respond {
  /** Begins a result set. */
  columns(columns: readonly Column[]): void;
  /** Resolves when there is room for the next row; rejects when the request is over (cancelled, connection lost). */
  row(values: readonly SqlValue[]): Promise<void>;
  error(message: ServerMessage): void;
  info(message: ServerMessage): void;
  /** Of a procedure: 0, or 1 after an error, unless given. */
  returnStatus(status: number): void;
  /** An output parameter of a procedure. */
  returnValue(parameter: OutputParameter): void;
  /** Ends a statement; with a count, says how many rows it changed. */
  done(rowCount?: number): void;
}

/** Unwinds an answer whose request is over; not an error of the test. */
export class RequestOver extends Error {
  constructor() {
    super("the request is over");
    this.name = "RequestOver";
  }
}

export interface ReplyOptions {
  readonly kind: "batch" | "rpc";
  readonly nullBitmapRows: boolean;
  readonly signal: AbortSignal;
  /** Calls `interrupt` before the row after so many. */
  readonly interruptAfterRows?: number | undefined;
  readonly interrupt?: (reply: Reply, nextRow: readonly SqlValue[]) => Promise<void>;
}

/** One reply message, written token by token. */
export class Reply implements Respond {
  readonly #out: MessageWriter;
  readonly #options: ReplyOptions;
  readonly #scratch = new ByteWriter();
  #columns: readonly PreparedColumn[] = [];
  #rowsOfStatement = 0;
  #rows = 0;
  /** Something was said since the last done. */
  #open = false;
  #failedStatement = false;
  #failed = false;
  /** A batch's DONE waits, because only the last one may say that no more follows. */
  #waitingDone: { readonly status: number; readonly rowCount: number } | undefined;
  #returnStatus: number | undefined;
  #returnValues: OutputParameter[] = [];

  constructor(out: MessageWriter, options: ReplyOptions) {
    this.#out = out;
    this.#options = options;
  }

  columns(columns: readonly Column[]): void {
    if (this.#columns.length > 0) this.done();
    this.#columns = prepareColumns(columns);
    this.#rowsOfStatement = 0;
    this.#put((out) => writeColumns(out, this.#columns));
  }

  async row(values: readonly SqlValue[]): Promise<void> {
    if (this.#options.signal.aborted) throw new RequestOver();
    if (this.#columns.length === 0) throw new Error("a row before its columns");
    if (this.#rows === this.#options.interruptAfterRows) await this.#options.interrupt?.(this, values);
    this.#put((out) => writeRow(out, this.#columns, values, this.#options.nullBitmapRows));
    this.#rows += 1;
    this.#rowsOfStatement += 1;
    if (this.#out.isFull) await this.#out.room(this.#options.signal);
    if (this.#options.signal.aborted || this.#out.isGone) throw new RequestOver();
  }

  error(message: ServerMessage): void {
    this.#failed = true;
    this.#failedStatement = true;
    this.#put((out) => writeMessage(out, message));
  }

  info(message: ServerMessage): void {
    this.#put((out) => writeMessage(out, message, tokenType.information));
  }

  returnStatus(status: number): void {
    if (this.#options.kind === "batch") throw new Error("a batch has no return status");
    this.#returnStatus = status;
  }

  returnValue(parameter: OutputParameter): void {
    if (this.#options.kind === "batch") throw new Error("a batch has no output parameters");
    this.#returnValues.push(parameter);
  }

  done(rowCount?: number): void {
    this.#beforeToken();
    const counts = this.#columns.length > 0 || rowCount !== undefined;
    const status = (counts ? doneStatus.count : 0) | (this.#failedStatement ? doneStatus.error : 0);
    const waiting = { status, rowCount: rowCount ?? this.#rowsOfStatement };
    if (this.#options.kind === "batch") this.#waitingDone = waiting;
    else this.#writeDone(tokenType.doneInProcedure, status | doneStatus.more, waiting.rowCount);
    this.#columns = [];
    this.#failedStatement = false;
    this.#open = false;
  }

  /** Writes what still lacks and ends the message. */
  async finish(): Promise<void> {
    if (this.#out.ended) return;
    if (this.#rows === this.#options.interruptAfterRows) await this.#options.interrupt?.(this, []);
    this.end();
  }

  end(): void {
    if (this.#out.ended) return;
    if (this.#options.kind === "batch") {
      if (this.#open || this.#waitingDone === undefined) this.done();
      const { status, rowCount } = this.#waitingDone ?? { status: 0, rowCount: 0 };
      this.#writeDone(tokenType.done, status, rowCount);
    } else {
      if (this.#columns.length > 0) this.done();
      this.#write((out) => writeReturnStatus(out, this.#returnStatus ?? (this.#failed ? 1 : 0)));
      this.#returnValues.forEach((value, i) => this.#write((out) => writeReturnValue(out, i, value)));
      this.#writeDone(tokenType.doneProcedure, this.#failedStatement ? doneStatus.error : 0, 0);
    }
    this.#out.end();
  }

  /** Sends what was written so far, without an end. */
  async sent(): Promise<void> {
    await this.#out.sent();
  }

  /** Ends the message with a token no driver knows. */
  endWithUnknownToken(): void {
    this.#write((out) => out.u8(0x42));
    this.#out.end();
  }

  /** Ends the message in the middle of a row. */
  endInRow(values: readonly SqlValue[]): void {
    this.#scratch.clear();
    if (values.length === 0) this.#scratch.u8(tokenType.row);
    else writeRow(this.#scratch, this.#columns, values, false);
    const row = this.#scratch.written;
    this.#out.put(row.subarray(0, Math.ceil(row.length / 2)));
    this.#out.end();
  }

  #put(write: (out: ByteWriter) => void): void {
    this.#beforeToken();
    this.#open = true;
    this.#write(write);
  }

  #beforeToken(): void {
    if (this.#waitingDone === undefined) return;
    const { status, rowCount } = this.#waitingDone;
    this.#waitingDone = undefined;
    this.#writeDone(tokenType.done, status | doneStatus.more, rowCount);
  }

  #writeDone(id: number, status: number, rowCount: number): void {
    this.#write((out) => writeDone(out, id, status, rowCount));
  }

  #write(write: (out: ByteWriter) => void): void {
    this.#scratch.clear();
    write(this.#scratch);
    this.#out.put(this.#scratch.written);
  }
}
