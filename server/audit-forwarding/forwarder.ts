import { setImmediate as turn } from "node:timers/promises";
import * as z from "zod";
import type { RecordedEvent } from "../audit/event.ts";
import { ReceiverLost, type Connection, type Waits } from "./connection.ts";
import { Delivery } from "./delivery.ts";
import { LogReader, type NumberedLine } from "../audit/log-reader.ts";
import { nameOfLog } from "./log-name.ts";
import { messagesOf, type MessageOptions } from "./message.ts";

export interface ForwarderOptions {
  readonly logDirectory: string;
  /** The last event that is durable; nothing after it is read. */
  readonly durableSeq: () => number;
  readonly message: MessageOptions;
  /** A checked connection to the receiver, or ReceiverLost. */
  readonly connect: (waits: Waits, signal: AbortSignal) => Promise<Connection>;
  /** Where an earlier process left off: the settled place, and the log that it is in. */
  readonly cursor: { readonly log: string; readonly seq: number } | undefined;
  readonly saveCursor: (cursor: { readonly log: string; readonly seq: number }) => Promise<void>;
  /** How long the receiver must live on after it has read something, before that is never sent again. */
  readonly settleMs: number;
  readonly uptimeMs: () => number;
  /** The receiver has read all that was sent, or was lost. */
  readonly onChange: (lost?: string) => void;
  readonly waits: Waits;
  readonly retryMs: RetryMs;
}

/** Between attempts to connect, doubled from the first to the last. */
export interface RetryMs {
  readonly first: number;
  readonly longest: number;
}

export const defaultRetryMs: RetryMs = { first: 1000, longest: 30_000 };
/** Handed to the socket at a time. */
const batchBytes = 64 * 1024;
/** Sent on one connection at most before the receiver is asked whether it has read them. */
const mostUnconfirmed = 20_000;
const fewestUnconfirmed = 16;

const logLine = z.looseObject({
  seq: z.number(),
  at: z.iso.datetime(),
  uptimeMs: z.number(),
  event: z.looseObject({ type: z.string() }),
});

const decodeLine = ({ seq, bytes }: NumberedLine): RecordedEvent => {
  const decoded = logLine.safeParse(JSON.parse(bytes.toString("utf8")));
  if (!decoded.success || decoded.data.seq !== seq) throw new Error(`line ${seq} of the log is no event`);
  // Not checked against the union: what an older version wrote goes out as it stands.
  return decoded.data as unknown as RecordedEvent;
};

/**
 * Ships the log, in order, at least once. Syslog has no acknowledgement: what proves that the receiver has read is a connection
 * that was closed cleanly from both sides, so after some events or seconds a new connection is made, and the old one closed.
 * The new one is made first, so that it notices when the receiver dies in between.
 */
export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #waits: Waits;
  readonly #log: string;
  readonly #delivery: Delivery;
  #limit = mostUnconfirmed;
  #sentHere = 0;
  #firstSentAtMs = 0;
  #finishing = false;
  readonly #stop = new AbortController();
  #wake: () => void = () => undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: ForwarderOptions) {
    this.#options = options;
    this.#waits = options.waits;
    this.#log = nameOfLog(options.logDirectory) ?? "";
    const { cursor } = options;
    this.#delivery = new Delivery(
      cursor?.log === this.#log ? Math.min(cursor.seq, options.durableSeq()) : 0,
      options.settleMs,
    );
  }

  /** Events that are durable here and not known to have been read there. */
  get behind(): number {
    return this.#options.durableSeq() - this.#delivery.confirmed;
  }

  async start(): Promise<void> {
    await this.#save();
    this.#running = this.#run();
  }

  /** Something became durable. */
  grown(): void {
    this.#wake();
  }

  /** Sends what is there, as far as it goes within the time, and ends. */
  async finish(withinMs: number): Promise<void> {
    this.#finishing = true;
    this.#wake();
    const timer = setTimeout(() => {
      this.#stop.abort();
      this.#wake();
    }, withinMs);
    await this.#running;
    clearTimeout(timer);
  }

  async #run(): Promise<void> {
    const { first, longest } = this.#options.retryMs;
    let retryMs = first;
    while (!this.#stop.signal.aborted) {
      const before = this.#delivery.confirmed;
      try {
        await this.#ship();
        return;
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        if (this.#delivery.confirmed > before) retryMs = first;
        this.#delivery.lose();
        this.#options.onChange(error instanceof Error ? error.message : String(error));
      }
      await this.#sleep(retryMs, () => false);
      if (this.#finishing) return;
      retryMs = Math.min(retryMs * 2, longest);
    }
  }

  /** Until the time is over, or something is worth looking at. */
  async #sleep(ms: number, wakes: () => boolean, connection?: Connection): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#wake = () => {
      if (this.#finishing || this.#stop.signal.aborted || wakes()) resolve();
    };
    const stopListening = connection?.onLost(resolve);
    this.#wake();
    await promise;
    clearTimeout(timer);
    stopListening?.();
    this.#wake = () => undefined;
  }

  /** One chain of connections, until there is nothing more to do or the receiver is lost. */
  async #ship(): Promise<void> {
    const { durableSeq } = this.#options;
    const reader = new LogReader(this.#options.logDirectory, this.#delivery.settled + 1, "refused");
    let connection = await this.#connect();
    this.#sentHere = 0;
    try {
      while (!this.#stop.signal.aborted) {
        connection.check();
        if (this.#dueMs() <= 0) {
          connection = await this.#turnOver(connection);
          continue;
        }
        const room = Math.max(1, this.#limit - this.#sentHere);
        const lines = await reader.read(Math.min(durableSeq(), reader.next - 1 + room));
        if (lines.length > 0) {
          await this.#send(lines, connection);
          // A long backlog must not keep sessions waiting.
          await turn();
          continue;
        }
        if (this.#finishing) {
          if (this.#sentHere > 0) await this.#confirm(connection);
          return;
        }
        await this.#sleep(this.#dueMs(), () => durableSeq() >= reader.next, connection);
      }
    } finally {
      connection.destroy();
      await reader.close();
    }
  }

  async #connect(): Promise<Connection> {
    return this.#options.connect(this.#waits, this.#stop.signal);
  }

  async #send(lines: readonly NumberedLine[], connection: Connection): Promise<void> {
    let batch: Buffer[] = [];
    let bytes = 0;
    const flush = async (throughSeq: number): Promise<void> => {
      await connection.send(Buffer.concat(batch));
      this.#delivery.send(throughSeq);
      batch = [];
      bytes = 0;
    };
    for (const [index, line] of lines.entries()) {
      for (const message of messagesOf(decodeLine(line), this.#log, this.#options.message)) {
        batch.push(message);
        bytes += message.length;
      }
      if (this.#sentHere === 0) this.#firstSentAtMs = this.#options.uptimeMs();
      this.#sentHere += 1;
      if (bytes >= batchBytes || index === lines.length - 1) await flush(line.seq);
    }
  }

  /** Until the receiver should be asked: at once with many events under way, else a third of the time they need to settle. */
  #dueMs(): number {
    if (this.#sentHere >= this.#limit) return 0;
    const now = this.#options.uptimeMs();
    const sent = this.#sentHere > 0 ? this.#firstSentAtMs + this.#options.settleMs / 3 : Number.POSITIVE_INFINITY;
    const settling = this.#delivery.settlesAtMs ?? Number.POSITIVE_INFINITY;
    return Math.max(0, Math.min(sent, settling, now + 3_600_000) - now);
  }

  async #turnOver(connection: Connection): Promise<Connection> {
    const next = await this.#connect();
    try {
      await this.#confirm(connection);
      next.check();
    } catch (error) {
      next.destroy();
      throw error;
    }
    this.#sentHere = 0;
    return next;
  }

  async #confirm(connection: Connection): Promise<void> {
    try {
      await connection.closeCleanly();
    } catch (error) {
      // A receiver too slow to read so much in time must get less, or it would be sent the same again for ever.
      if (error instanceof ReceiverLost) {
        this.#limit = Math.max(fewestUnconfirmed, Math.floor(Math.min(this.#limit, this.#sentHere) / 2));
      }
      throw error;
    }
    const before = this.#delivery.settled;
    this.#delivery.confirm(this.#options.uptimeMs());
    if (this.#delivery.settled > before) {
      // More only now: should it be too much, what is sent again is not what was sent before.
      this.#limit = Math.min(mostUnconfirmed, Math.ceil(this.#limit * 1.25));
      await this.#save();
    }
    this.#options.onChange();
  }

  /** One that can't be saved, as on a full disk, only means that more is sent again after the next start. */
  async #save(): Promise<void> {
    await this.#options.saveCursor({ log: this.#log, seq: this.#delivery.settled }).catch(() => undefined);
  }
}
