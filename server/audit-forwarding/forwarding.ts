import type { EventLog } from "../audit/event.ts";
import { nameOf, type SyslogReceiver } from "./configuration.ts";
import { connectReceiver, defaultWaits, type Credentials, type Waits } from "./connection.ts";
import { readCursor, writeCursor } from "./cursor.ts";
import { defaultRetryMs, Forwarder, type RetryMs } from "./forwarder.ts";
import { StateRecord, type Found } from "./state-record.ts";
import type { Runtime } from "../runtime.ts";

export interface ForwardingOptions {
  readonly receiver: SyslogReceiver;
  /** Read for every connection, so that certificates can be renewed while the server runs. */
  readonly credentials: () => Credentials;
  readonly log: EventLog & { lastSeq(): number };
  readonly logDirectory: string;
  readonly cursorPath: string;
  readonly hostName: string;
  readonly processId: number;
  readonly version: string;
  readonly waits?: Waits;
  readonly retryMs?: RetryMs;
  readonly runtime: Pick<Runtime, "uptimeMs" | "report">;
}

export interface Forwarding {
  /** More events are durable. */
  grown(): void;
  /** Sends what is left as far as it goes in a few seconds. */
  close(): Promise<void>;
}

const lookMs = 1000;
const finishMs = 3000;

const sentences = (name: string, behind: number): Record<Found["state"], string> => ({
  connected: `syslog: ${name} takes the record; ${behind} events behind`,
  disconnected: `syslog: ${name} can't be reached; events wait in the log, ${behind} until now`,
  lagging: `syslog: ${behind} events have not arrived at ${name}`,
});

/**
 * Sends the record on to a syslog receiver, after it is durable here and beside everything else: no receiver, and nothing that
 * goes wrong with it, stops or slows the endpoint.
 *
 * @throws EndpointError when a certificate or key can't be read, or the cursor is damaged
 */
export const startForwarding = async (options: ForwardingOptions): Promise<Forwarding> => {
  const { receiver, credentials, log } = options;
  const { report, uptimeMs } = options.runtime;
  const name = nameOf(receiver);
  credentials();
  let lost: string | undefined;
  let reached = false;
  let progressAtMs = uptimeMs();

  const states = new StateRecord({
    uptimeMs,
    record: ({ state, reason }) => {
      const { behind } = forwarder;
      report(`${sentences(name, behind)[state]}${reason === undefined ? "" : ` (${reason})`}`);
      const event = { type: "forwarding", state, receiver: name, behind } as const;
      log
        .append(reason === undefined ? event : { ...event, reason })
        .catch(() => report("syslog: the change could not be recorded"));
    },
  });
  const look = (): void => {
    const { behind } = forwarder;
    if (behind === 0) progressAtMs = uptimeMs();
    const stuckMs = uptimeMs() - progressAtMs;
    const reason = lost === undefined ? {} : { reason: lost };
    if (behind > receiver.warnAfterEvents || stuckMs > receiver.warnAfterMinutes * 60_000) {
      states.see({ state: "lagging", ...reason });
    } else if (lost !== undefined) states.see({ state: "disconnected", ...reason });
    else if (reached) states.see({ state: "connected" });
  };
  const forwarder = new Forwarder({
    logDirectory: options.logDirectory,
    durableSeq: () => log.lastSeq(),
    message: {
      format: receiver.format,
      enterpriseId: receiver.enterpriseId,
      hostName: options.hostName,
      processId: options.processId,
      version: options.version,
    },
    connect: (waits, signal) => connectReceiver(receiver, credentials(), waits, signal),
    cursor: readCursor(options.cursorPath),
    saveCursor: (cursor) => writeCursor(options.cursorPath, cursor),
    settleMs: receiver.resendSeconds * 1000,
    uptimeMs,
    waits: options.waits ?? defaultWaits,
    retryMs: options.retryMs ?? defaultRetryMs,
    onChange: (why) => {
      lost = why;
      // A connection alone proves nothing: a receiver that refuses our certificate says so only after TLS 1.3 is up.
      if (why === undefined) {
        reached = true;
        progressAtMs = uptimeMs();
      }
      look();
    },
  });
  const timer = setInterval(look, lookMs);
  timer.unref();
  await forwarder.start();
  return {
    grown: () => forwarder.grown(),
    async close() {
      clearInterval(timer);
      states.close();
      await forwarder.finish(finishMs);
    },
  };
};
