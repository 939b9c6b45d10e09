import { EndpointError } from "../errors.ts";
import type { SessionChannel } from "../session/contract.ts";
import { InputBuffer } from "./input-buffer.ts";
import type { OutputTurns, Sender } from "./output-turns.ts";
import type { ChannelMessages } from "./ssh2-internals.ts";

const stderrType = 1; // SSH_EXTENDED_DATA_STDERR, RFC 4254 §5.2
/** What every SSH implementation must take (RFC 4253 §6.1: payloads of 32768), whatever larger size the client grants. */
const largestPacket = 32 * 1024;
const mostWindow = 0xffff_ffff;

interface Chunk {
  readonly kind: "stdout" | "stderr";
  readonly bytes: Buffer;
  sent: number;
  readonly done: () => void;
  readonly failed: (error: Error) => void;
}
/** Something to do when everything before it has been sent: the exit status, a refusal. */
interface Step {
  readonly kind: "step";
  readonly act: () => void;
  readonly done: () => void;
}

export interface ChannelIds {
  readonly own: number;
  readonly peer: number;
}

export interface PeerWindow {
  readonly window: number;
  readonly packetSize: number;
}

const closedError = (): EndpointError => new EndpointError("OperationStopped", "The session was closed.");

/**
 * One session channel of RFC 4254 §5, in place of ssh2's own Channel: that one duplicates standard output, loses or stalls
 * standard error when the window is used up, and loops for ever on a packet size of 0. Here all output waits in one
 * queue, so its order is the order of the calls.
 */
export class OpenChannel implements SessionChannel, Sender {
  readonly ids: ChannelIds;
  readonly #messages: ChannelMessages;
  readonly #turns: OutputTurns;
  readonly #packetSize: number;
  #sendWindow: number;
  readonly #receiveLimit: number;
  #receiveWindow: number;
  #taken = 0;
  readonly #queue: (Chunk | Step)[] = [];
  readonly #input: InputBuffer;
  readonly #closed = new AbortController();
  #peerSentEof = false;
  #peerClosed = false;
  #closedInOrder = false;
  #sentClose = false;
  #ending: Promise<void> | undefined;

  constructor(
    ids: ChannelIds,
    peer: PeerWindow,
    receiveLimit: number,
    connection: { readonly messages: ChannelMessages; readonly turns: OutputTurns },
  ) {
    this.ids = ids;
    this.#messages = connection.messages;
    this.#turns = connection.turns;
    this.#sendWindow = peer.window;
    this.#packetSize = Math.min(peer.packetSize, largestPacket);
    this.#receiveLimit = receiveLimit;
    this.#receiveWindow = receiveLimit;
    this.#input = new InputBuffer((bytes) => this.#grant(bytes));
  }

  // What the session layer sees.

  get input(): AsyncIterable<Uint8Array> {
    return this.#input;
  }

  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  get closedInOrder(): boolean {
    return this.#closedInOrder;
  }

  get sentClose(): boolean {
    return this.#sentClose;
  }

  get ending(): boolean {
    return this.#ending !== undefined;
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#enqueue("stdout", bytes);
  }

  writeError(bytes: Uint8Array): Promise<void> {
    return this.#enqueue("stderr", bytes);
  }

  end(exitStatus: number): Promise<void> {
    this.#ending ??= this.afterOutput(() => {
      this.#messages.exitStatus(this.ids.peer, exitStatus);
      this.#messages.channelEOF(this.ids.peer);
      this.close();
    });
    return this.#ending;
  }

  // What the connection does with it.

  /** Runs `act` when everything written so far has gone. Resolves then, or when the channel is closed. */
  afterOutput(act: () => void): Promise<void> {
    if (this.#isShut()) return Promise.resolve();
    return new Promise((resolve) => {
      this.#queue.push({ kind: "step", act, done: resolve });
      this.#turns.want(this);
    });
  }

  /** Sends CLOSE, once. */
  close(): void {
    if (this.#sentClose) return;
    this.#sentClose = true;
    this.#messages.channelClose(this.ids.peer);
    this.#stop();
  }

  /** Takes CHANNEL_DATA. @returns the guard that it breaks, if any */
  receive(bytes: Buffer): string | undefined {
    if (this.#peerSentEof || this.#peerClosed) return "data-after-eof";
    if (bytes.length > this.#receiveWindow) return "window-overrun";
    this.#receiveWindow -= bytes.length;
    // After our CLOSE the client may still be sending what it was granted; nobody reads it.
    if (!this.#sentClose) this.#input.push(bytes);
    return undefined;
  }

  receiveEof(): void {
    this.#peerSentEof = true;
    this.#input.end();
  }

  /** The client closed the channel, or its connection is lost. */
  receiveClose(connectionLost: boolean): void {
    // An orderly client answers our CLOSE, which comes after the exit status. One that hung up before may lack what lay in buffers.
    this.#closedInOrder = this.#sentClose && !connectionLost;
    this.#peerClosed = true;
    if (connectionLost) this.#sentClose = true;
    else this.close();
    this.#stop();
  }

  widen(bytes: number): void {
    // RFC 4254 §5.2: the window never passes 2^32-1.
    this.#sendWindow = Math.min(this.#sendWindow + bytes, mostWindow);
    if (this.#queue.length > 0) this.#turns.want(this);
  }

  sendNext(): boolean {
    const head = this.#queue[0];
    if (head === undefined) return false;
    if (head.kind === "step") {
      this.#queue.shift();
      head.act();
      head.done();
      return this.#queue.length > 0;
    }
    const length = Math.min(head.bytes.length - head.sent, this.#packetSize, this.#sendWindow);
    if (length > 0) {
      const slice = head.bytes.subarray(head.sent, head.sent + length);
      if (head.kind === "stdout") this.#messages.channelData(this.ids.peer, slice);
      else this.#messages.channelExtData(this.ids.peer, slice, stderrType);
      head.sent += length;
      this.#sendWindow -= length;
    }
    if (head.sent === head.bytes.length) {
      this.#queue.shift();
      head.done();
      return this.#queue.length > 0;
    }
    return this.#sendWindow > 0;
  }

  #isShut(): boolean {
    return this.#sentClose || this.#peerClosed;
  }

  #enqueue(kind: "stdout" | "stderr", bytes: Uint8Array): Promise<void> {
    if (this.#isShut() || this.#ending !== undefined) return Promise.reject(closedError());
    return new Promise((done, failed) => {
      const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      this.#queue.push({ kind, bytes: view, sent: 0, done, failed });
      this.#turns.want(this);
    });
  }

  /** The session took bytes. Grants anew in halves of the window, as a message for each read would double the traffic. */
  #grant(bytes: number): void {
    this.#taken += bytes;
    if (this.#peerSentEof || this.#isShut() || this.#taken < this.#receiveLimit / 2) return;
    this.#messages.channelWindowAdjust(this.ids.peer, this.#taken);
    this.#receiveWindow += this.#taken;
    this.#taken = 0;
  }

  #stop(): void {
    this.#turns.forget(this);
    for (const entry of this.#queue.splice(0)) {
      if (entry.kind === "step") entry.done();
      else entry.failed(closedError());
    }
    this.#input.end();
    if (this.#peerClosed && !this.#closed.signal.aborted) this.#closed.abort(closedError());
  }
}
