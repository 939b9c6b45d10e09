import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { firstPacketSize, MessageWriter, packetType } from "./packets.ts";

/** A certificate with its key, PEM. */
export interface TlsIdentity {
  readonly key: string;
  readonly cert: string;
}

/** The server's end of TLS over `inner`. Strict is TDS 8.0: up to TLS 1.3, ALPN `tds/8.0`. */
export const serverTls = (inner: Duplex, identity: TlsIdentity, strict: boolean): TLSSocket =>
  new TLSSocket(inner, {
    isServer: true,
    ...identity,
    minVersion: "TLSv1.2",
    // Inside PRELOGIN packets nobody can speak 1.3: its tickets would arrive after the framing has ended.
    maxVersion: strict ? "TLSv1.3" : "TLSv1.2",
    ...(strict ? { ALPNProtocols: ["tds/8.0"] } : {}),
  });

const headerLength = 8;

/**
 * A stream for TLS whose handshake rides in PRELOGIN packets, both ways ([MS-TDS] 3.3.5.1). The first byte from the client
 * that begins no such packet ends the framing: from there on TLS records go over the socket as they are.
 */
export class PreloginFraming extends Duplex {
  readonly #socket: Socket;
  #framed = true;
  #unread: Buffer = Buffer.alloc(0);
  #flight: Buffer[] = [];

  constructor(socket: Socket) {
    super();
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#feed(chunk));
    socket.on("end", () => this.push(null));
    socket.on("close", () => this.destroy());
    socket.on("error", (error) => this.destroy(error));
  }

  #feed(chunk: Buffer): void {
    if (!this.#framed) {
      if (!this.push(chunk)) this.#socket.pause();
      return;
    }
    this.#unread = Buffer.concat([this.#unread, chunk]);
    while (this.#unread.length > 0) {
      if (this.#unread[0] !== packetType.prelogin) {
        this.#framed = false;
        this.push(this.#unread);
        return;
      }
      if (this.#unread.length < headerLength) return;
      const length = this.#unread.readUInt16BE(2);
      if (this.#unread.length < length) return;
      this.push(this.#unread.subarray(headerLength, length));
      this.#unread = this.#unread.subarray(length);
    }
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    if (!this.#framed) {
      this.#socket.write(chunk, done);
      return;
    }
    this.#flight.push(chunk);
    done();
    // A flight comes in several writes and must be one message.
    if (this.#flight.length === 1) setImmediate(() => this.#sendFlight());
  }

  #sendFlight(): void {
    const writer = new MessageWriter(this.#socket, { packetSize: firstPacketSize, type: packetType.prelogin });
    writer.put(Buffer.concat(this.#flight));
    this.#flight = [];
    writer.end();
  }

  override _final(done: () => void): void {
    this.#socket.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}
