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

/** Keeps a connection's transport within its limits: errors, bytes, key exchanges. Install before our KEXINIT is sent. */
export const guardTransport = (options: TransportOptions): void => {
  const { client, connection, limits, transport } = options;
  const { socket } = client;

  // Without a listener a garbage packet ends the process; ssh2 by itself only half-closes.
  connection.on("error", (error: Error & { readonly level?: unknown }) => {
    if (isOrdinaryEnd(error)) client.destroyAfter(limits.errorMs);
    else client.dropSoon(error.level === "client-timeout" ? "keepalive" : "protocol-error");
  });

  // Everything a peer can make us send is an answer to something, so looking after each segment is enough. Output of
  // sessions waits at `socketHighWater`: above `answersWaiting` are answers that the peer asked for and does not read. Then
  // nothing more of it is read, as sshd does, and its keepalive time runs.
  socket.on("data", () => {
    if (client.logIn.isLoggedIn) {
      if (socket.writableLength > limits.answersWaiting) options.reading.hold();
    } else if (socket.bytesRead > limits.preAuthenticationBytesIn) {
      client.drop("pre-authentication-bytes");
    } else if (socket.writableLength > limits.preAuthenticationBytesOut) {
      client.drop("output-waiting");
    }
  });
  socket.on("drain", () => {
    options.resumeOutput();
    if (!client.gone) options.reading.release();
  });

  let bytesAtExchange = 0;
  let exchangedAt: number | undefined;
  let exchangeSince: number | undefined;
  let startedByUs = false;
  let cheapRekeys: number[] = [];
  let idleSince: number | undefined;

  connection.on("rekey", () => {
    // Our own rekeys and those after real traffic don't count, or `RekeyLimit 16M` would cut a client off.
    if (!startedByUs && client.bytesMoved - bytesAtExchange < limits.cheapRekeyBytes) {
      const now = Date.now();
      cheapRekeys = [...cheapRekeys.filter((at) => at > now - 60_000), now];
      if (cheapRekeys.length > limits.cheapRekeysPerMinute) client.drop("rekey-flood");
    }
    startedByUs = false;
  });

  connection.on("handshake", (negotiated: NegotiatedAlgorithms) => {
    const ciphers = [negotiated.cs.cipher, negotiated.sc.cipher];
    // Terrapin: these two let a man in the middle cut messages from the start of the connection unless both sides are strict.
    if (!transport.strict() && ciphers.some((name) => /chacha20|-cbc/.test(name))) {
      client.drop("weak-transport");
      return;
    }
    exchangeSince = undefined;
    bytesAtExchange = client.bytesMoved;
    exchangedAt = Date.now();
    process.nextTick(options.resumeOutput); // after ssh2 has sent what it queued itself
  });

  const tick = setInterval(
    () => {
      if (exchangedAt === undefined) return; // the first exchange is under the log-in grace
      const now = Date.now();
      if (!client.logIn.isLoggedIn || options.inUse()) idleSince = undefined;
      else idleSince ??= now;
      if (idleSince !== undefined && now - idleSince > limits.connectionIdleMs) options.onIdle();
      if (transport.exchangingKeys()) {
        exchangeSince ??= now;
        if (now - exchangeSince > limits.keyExchangeMs) client.drop("key-exchange-stalled");
        return;
      }
      exchangeSince = undefined;
      const due = client.bytesMoved - bytesAtExchange > limits.rekeyBytes || now - exchangedAt > limits.rekeyMs;
      if (due && client.logIn.isLoggedIn && !client.gone) {
        startedByUs = true;
        transport.rekey();
      }
    },
    Math.min(tickMs, limits.keyExchangeMs, limits.connectionIdleMs),
  );
  tick.unref();
  socket.once("close", () => clearInterval(tick));
};
