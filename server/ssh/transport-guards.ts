import type { Connection, NegotiatedAlgorithms } from "ssh2";
import type { ClientSocket } from "./client-socket.ts";
import type { Limits } from "./limits.ts";
import type { Reading } from "./reading.ts";
import type { Transport } from "./ssh2-internals.ts";

export interface TransportOptions {
  readonly client: ClientSocket;
  readonly connection: Connection;
  readonly transport: Transport;
  readonly limits: Limits;
  readonly reading: Reading;
  /** Output that waited for the socket or for a key exchange may go on. */
  readonly resumeOutput: () => void;
  /** Whether the connection has a session. */
  readonly inUse: () => boolean;
  /** It had none for `connectionIdleMs`. */
  readonly onIdle: () => void;
}

const tickMs = 1_000;

/** Errors that are the peer's or the network's way of leaving, not an attack. */
const isOrdinaryEnd = (error: Error & { readonly level?: unknown; readonly code?: unknown }): boolean =>
  error.level === "socket" || typeof error.code === "number"; // a number: the reason of the peer's own DISCONNECT

const guardErrors = ({ client, connection, limits }: TransportOptions): void => {
  // Without a listener a garbage packet ends the process; ssh2 by itself only half-closes.
  connection.on("error", (error: Error & { readonly level?: unknown }) => {
    if (isOrdinaryEnd(error)) client.destroyAfter(limits.errorMs);
    else client.dropSoon(error.level === "client-timeout" ? "keepalive" : "protocol-error");
  });
};

const guardBytes = ({ client, limits, reading, resumeOutput }: TransportOptions): void => {
  const { socket, logIn } = client;
  // Everything a peer can make us send is an answer to something, so looking after each segment is enough. Output of
  // sessions waits at `socketHighWater`: above `answersWaiting` are answers that the peer asked for and does not read. Then
  // nothing more of it is read, as sshd does, and its keepalive time runs.
  socket.on("data", () => {
    if (logIn.isLoggedIn) {
      if (socket.writableLength > limits.answersWaiting) reading.hold();
    } else if (socket.bytesRead > limits.preAuthenticationBytesIn) {
      client.drop("pre-authentication-bytes");
    } else if (socket.writableLength > limits.preAuthenticationBytesOut) {
      client.drop("output-waiting");
    }
  });
  socket.on("drain", () => {
    resumeOutput();
    if (!client.gone) reading.release();
  });
};

/** The key exchanges of a connection: neither too many, nor too long, nor too few. */
class KeyExchanges {
  readonly #options: TransportOptions;
  #finishedAt: number | undefined;
  #bytesThen = 0;
  #since: number | undefined;
  #startedByUs = false;
  #cheap: number[] = [];

  constructor(options: TransportOptions) {
    this.#options = options;
    options.connection.on("rekey", () => this.#begun());
    options.connection.on("handshake", (negotiated: NegotiatedAlgorithms) => this.#finished(negotiated));
  }

  /** Looks whether one has stalled, or is due. */
  look(now: number): void {
    const { client, limits, transport } = this.#options;
    if (this.#finishedAt === undefined) return; // the first is under the log-in grace
    if (transport.exchangingKeys()) {
      this.#since ??= now;
      if (now - this.#since > limits.keyExchangeMs) client.drop("key-exchange-stalled");
      return;
    }
    this.#since = undefined;
    const due = client.bytesMoved - this.#bytesThen > limits.rekeyBytes || now - this.#finishedAt > limits.rekeyMs;
    if (due && client.logIn.isLoggedIn && !client.gone) {
      this.#startedByUs = true;
      transport.rekey();
    }
  }

  #begun(): void {
    const { client, limits } = this.#options;
    // Our own rekeys and those after real traffic don't count, or `RekeyLimit 16M` would cut a client off.
    if (!this.#startedByUs && client.bytesMoved - this.#bytesThen < limits.cheapRekeyBytes) {
      const now = Date.now();
      this.#cheap = [...this.#cheap.filter((at) => at > now - 60_000), now];
      if (this.#cheap.length > limits.cheapRekeysPerMinute) client.drop("rekey-flood");
    }
    this.#startedByUs = false;
  }

  #finished(negotiated: NegotiatedAlgorithms): void {
    const { client, resumeOutput, transport } = this.#options;
    const ciphers = [negotiated.cs.cipher, negotiated.sc.cipher];
    // Terrapin: these two let a man in the middle cut messages from the start of the connection unless both sides are strict.
    if (!transport.strict() && ciphers.some((name) => /chacha20|-cbc/.test(name))) {
      client.drop("weak-transport");
      return;
    }
    this.#since = undefined;
    this.#bytesThen = client.bytesMoved;
    this.#finishedAt = Date.now();
    process.nextTick(resumeOutput); // after ssh2 has sent what it queued itself
  }
}

/** Keeps a connection's transport within its limits: errors, bytes, key exchanges. Install before our KEXINIT is sent. */
export const guardTransport = (options: TransportOptions): void => {
  const { client, limits } = options;
  guardErrors(options);
  guardBytes(options);
  const exchanges = new KeyExchanges(options);
  let idleSince: number | undefined;
  const tick = setInterval(
    () => {
      const now = Date.now();
      if (!client.logIn.isLoggedIn || options.inUse()) idleSince = undefined;
      else idleSince ??= now;
      if (idleSince !== undefined && now - idleSince > limits.connectionIdleMs) options.onIdle();
      exchanges.look(now);
    },
    Math.min(tickMs, limits.keyExchangeMs, limits.connectionIdleMs),
  );
  tick.unref();
  client.socket.once("close", () => clearInterval(tick));
};
