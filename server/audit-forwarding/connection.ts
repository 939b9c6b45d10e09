import { connect as connectTls, type TLSSocket } from "node:tls";
import { mountedSecret, openFile, type FileRule } from "../files/judge.ts";
import { readTrustedSync } from "../files/trusted-file.ts";
import type { SyslogReceiver } from "./configuration.ts";
import { codeOf } from "../errors.ts";

export interface Credentials {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

export interface Waits {
  readonly connectMs: number;
  /** The receiver reads nothing for so long: it hangs. */
  readonly writeMs: number;
  /** Until it has read everything and closed. */
  readonly closeMs: number;
}

export const defaultWaits: Waits = { connectMs: 15_000, writeMs: 60_000, closeMs: 60_000 };

/** What went wrong with the receiver, in words for the administrator and the record. */
export class ReceiverLost extends Error {}

const causes: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "it broke the connection off",
  EPIPE: "it broke the connection off",
  ENOTFOUND: "there is no such host",
  EHOSTUNREACH: "there is no way to that host",
  ENETUNREACH: "there is no way to that network",
  ETIMEDOUT: "it does not answer",
};

const inWords = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  const code = codeOf(error) ?? "";
  return causes[code] ?? `${code === "" ? "" : `${code}: `}${error.message}`.replace(/\s+/g, " ").slice(0, 300);
};

/** One TLS connection to the receiver. A receiver never says anything, so all that is read of it is that it closed. */
export class Connection {
  readonly #socket: TLSSocket;
  readonly #waits: Waits;
  #lost: ReceiverLost | undefined;
  #closing = false;
  readonly #wakers = new Set<() => void>();

  constructor(socket: TLSSocket, waits: Waits, signal: AbortSignal) {
    // A server that ends must not wait for this receiver.
    const stop = (): void => this.#lose("stopped");
    signal.addEventListener("abort", stop, { once: true });
    socket.once("close", () => signal.removeEventListener("abort", stop));
    this.#socket = socket;
    this.#waits = waits;
    // Kept without reading on: a peer that talks is no syslog receiver, and nothing it says is of use.
    socket.on("data", () => this.#lose("it answers, which a syslog receiver never does: is it the right port?"));
    socket.on("end", () => {
      if (!this.#closing) this.#lose("it closed the connection");
    });
    socket.on("error", (error) => this.#lose(inWords(error)));
    socket.on("close", () => {
      if (!socket.readableEnded) this.#lose("it broke the connection off");
    });
  }

  #lose(why: string): void {
    this.#lost ??= new ReceiverLost(why);
    this.#socket.destroy();
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#wakers) wake();
  }

  /** Calls back when the connection is lost; gives back how to stop that. */
  onLost(wake: () => void): () => void {
    this.#wakers.add(wake);
    if (this.#lost !== undefined) wake();
    return () => void this.#wakers.delete(wake);
  }

  /** @throws ReceiverLost */
  check(): void {
    if (this.#lost !== undefined) throw this.#lost;
  }

  /** Resolves when something happened, or throws when it didn't in time. */
  async #within(ms: number, what: string, begin: (done: () => void) => void): Promise<void> {
    this.check();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.#lose(what), ms);
      const stop = this.onLost(() => finish());
      const finish = (): void => {
        clearTimeout(timer);
        stop();
        resolve();
      };
      begin(finish);
    });
    this.check();
  }

  /** Resolves once the operating system has taken the bytes. That says nothing about the receiver. */
  async send(bytes: Buffer): Promise<void> {
    await this.#within(this.#waits.writeMs, "it reads nothing", (done) => {
      this.#socket.write(bytes, (error) => {
        // What the error was, the "error" event says.
        if (error === null || error === undefined) done();
      });
    });
  }

  /**
   * Closes our side and waits until the receiver, which learns of it only after everything before, has closed its own: then it
   * has read all that was sent. One that dies first, or closes with bytes unread, resets the connection instead (RFC 1122 §4.2.2.13).
   */
  async closeCleanly(): Promise<void> {
    this.#closing = true;
    await this.#within(this.#waits.closeMs, "it does not close the connection", (done) => {
      let left = 2;
      const oneDone = (): void => {
        left -= 1;
        if (left === 0) done();
      };
      this.#socket.once("end", oneDone);
      this.#socket.once("finish", oneDone);
      this.#socket.end();
    });
    this.#socket.destroy();
  }

  destroy(): void {
    this.#closing = true;
    this.#socket.destroy();
  }
}

/** @throws UntrustedFile */
export const readCredentials = (receiver: SyslogReceiver): Credentials => {
  const read = (path: string, rule: FileRule): string => readTrustedSync(path, rule).toString("utf8");
  return {
    ca: read(receiver.ca, openFile("syslog receiver's authority")),
    certificate: read(receiver.certificate, openFile("syslog certificate")),
    key: read(receiver.key, mountedSecret("syslog key", "owner")),
  };
};

/** Connects, checked on both sides. @throws ReceiverLost */
export const connectReceiver = async (
  receiver: SyslogReceiver,
  credentials: Credentials,
  waits: Waits,
  signal: AbortSignal,
): Promise<Connection> => {
  const address = /^[\d.]+$|:/.test(receiver.server);
  const name = receiver.serverName ?? (address ? undefined : receiver.server);
  let socket: TLSSocket;
  try {
    socket = connectTls({
      host: receiver.server,
      port: receiver.port,
      ca: credentials.ca,
      cert: credentials.certificate,
      key: credentials.key,
      minVersion: "TLSv1.2",
      ...(name === undefined ? {} : { servername: name }),
    });
  } catch {
    // No cause: OpenSSL's text may quote what it read of the key.
    throw new ReceiverLost("its authority, our certificate and our key do not go together, or are no PEM files");
  }
  socket.setKeepAlive(true, 30_000);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const fail = (why: string): void => reject(new ReceiverLost(why));
  const failed = (error: Error): void => fail(inWords(error));
  const closed = (): void => fail("it closed the connection before TLS was up");
  const stopped = (): void => fail("stopped");
  const timer = setTimeout(() => fail("it does not answer"), waits.connectMs);
  signal.addEventListener("abort", stopped, { once: true });
  socket.on("error", failed).on("close", closed).once("secureConnect", resolve);
  try {
    signal.throwIfAborted();
    await promise;
  } catch (error) {
    socket.destroy(); // its late errors are still listened to
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stopped);
  }
  socket.off("error", failed).off("close", closed);
  return new Connection(socket, waits, signal);
};
