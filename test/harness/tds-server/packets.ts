import type { Duplex } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";

/** [MS-TDS] 2.2.3.1.1, those that a client of ours may meet. */
export const packetType = {
  batch: 0x01,
  rpc: 0x03,
  reply: 0x04,
  attention: 0x06,
  bulkLoad: 0x07,
  transaction: 0x0e,
  login7: 0x10,
  sspi: 0x11,
  prelogin: 0x12,
} as const;

const headerLength = 8;
const endOfMessage = 0x01;
const ignoreMessage = 0x02;
const packetsInOneTurn = 16;
export const smallestPacket = 512;
export const largestPacket = 32_767;
/** What both sides use until the login has agreed on another size. */
export const firstPacketSize = 4096;

export interface Message {
  readonly type: number;
  readonly body: Buffer;
  /** The client took it back while sending (status bit "ignore this event"). */
  readonly ignored: boolean;
}

const known: ReadonlySet<number> = new Set(Object.values(packetType));

/** Puts a client's packets together to messages. */
export class MessageReader {
  #unread: Buffer = Buffer.alloc(0);
  #parts: Buffer[] = [];

  /** The messages which this chunk completes. Throws when it is no TDS. */
  feed(chunk: Buffer): readonly Message[] {
    this.#unread = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk]);
    const messages: Message[] = [];
    while (this.#unread.length >= headerLength) {
      const type = this.#unread.readUInt8(0);
      const status = this.#unread.readUInt8(1);
      const length = this.#unread.readUInt16BE(2);
      if (!known.has(type) || length < headerLength) throw new Error(`no TDS packet: type ${type}, length ${length}`);
      if (this.#unread.length < length) break;
      this.#parts.push(this.#unread.subarray(headerLength, length));
      this.#unread = this.#unread.subarray(length);
      if ((status & endOfMessage) === 0) continue;
      messages.push({ type, body: Buffer.concat(this.#parts), ignored: (status & ignoreMessage) !== 0 });
      this.#parts = [];
    }
    return messages;
  }
}

export interface WriterOptions {
  readonly packetSize: number;
  readonly type?: number;
  /** Writes to the stream so many bytes at a time: packets arrive in pieces. */
  readonly bytesPerWrite?: number | undefined;
}

/** One message on its way to the client, cut into packets of the agreed size. */
export class MessageWriter {
  readonly #stream: Duplex;
  readonly #packetSize: number;
  readonly #type: number;
  readonly #bytesPerWrite: number | undefined;
  #packet: Buffer;
  #used = headerLength;
  #packetId = 0;
  #ended = false;
  #unsent = 0;
  #whenSent: () => void = () => undefined;
  #packetsInTurn = 0;

  constructor(stream: Duplex, options: WriterOptions) {
    this.#stream = stream;
    this.#packetSize = options.packetSize;
    this.#type = options.type ?? packetType.reply;
    this.#bytesPerWrite = options.bytesPerWrite;
    this.#packet = Buffer.allocUnsafe(options.packetSize);
  }

  get ended(): boolean {
    return this.#ended;
  }

  put(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length;) {
      if (this.#used === this.#packetSize) this.#send(false);
      const count = Math.min(bytes.length - from, this.#packetSize - this.#used);
      this.#packet.set(bytes.subarray(from, from + count), this.#used);
      this.#used += count;
      from += count;
    }
  }

  /** Sends what has gathered as a packet, without ending the message. */
  flush(): void {
    if (this.#used > headerLength) this.#send(false);
  }

  /** Sends the last packet. A second call does nothing: a message has one end. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#send(true);
  }

  /** Sends what has gathered; resolves when the system has taken all of it, or the connection is gone. */
  async sent(): Promise<void> {
    this.flush();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#whenSent = resolve;
    if (this.#unsent === 0) resolve();
    await promise;
  }

  /** Nobody reads any more. */
  get isGone(): boolean {
    return this.#stream.destroyed;
  }

  /** The client is slower than we are, or we have kept the event loop long enough: then `room` must be awaited. */
  get isFull(): boolean {
    return this.#stream.writableNeedDrain || this.#packetsInTurn >= packetsInOneTurn;
  }

  /** Resolves when the client has taken what was written, when `signal` aborts, or when the connection is gone. */
  async room(signal: AbortSignal): Promise<void> {
    this.#packetsInTurn = 0;
    // Small writes to a fast reader never fill the stream: without this turn no cancel would ever be read.
    await nextTurn();
    if (!this.#stream.writableNeedDrain || this.#stream.destroyed || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const go = (): void => resolve();
    this.#stream.on("drain", go).on("close", go);
    signal.addEventListener("abort", go);
    await promise;
    this.#stream.off("drain", go).off("close", go);
    signal.removeEventListener("abort", go);
  }

  #send(last: boolean): void {
    const packet = this.#packet.subarray(0, this.#used);
    this.#packetsInTurn += 1;
    this.#packetId = (this.#packetId + 1) & 0xff;
    packet.writeUInt8(this.#type, 0);
    packet.writeUInt8(last ? endOfMessage : 0, 1);
    packet.writeUInt16BE(this.#used, 2);
    packet.writeUInt16BE(0, 4);
    packet.writeUInt8(this.#packetId, 6);
    packet.writeUInt8(0, 7);
    const step = this.#bytesPerWrite ?? packet.length;
    // A destroyed stream takes nothing; writing would only raise an error that says what 'close' said.
    if (!this.#stream.destroyed)
      for (let from = 0; from < packet.length; from += step) {
        this.#unsent += 1;
        this.#stream.write(packet.subarray(from, from + step), () => {
          this.#unsent -= 1;
          if (this.#unsent === 0) this.#whenSent();
        });
      }
    this.#packet = Buffer.allocUnsafe(this.#packetSize);
    this.#used = headerLength;
  }
}
