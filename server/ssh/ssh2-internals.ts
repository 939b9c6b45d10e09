/* oxlint-disable no-underscore-dangle -- ssh2's private fields are this file's subject, and no other file's */
import type { Socket } from "node:net";
import type { Connection } from "ssh2";
import { uint32, WireReader, wireString } from "../identity/wire.ts";

/*
 * The private fields of ssh2 1.17.0 this folder stands on, in one place, behind names of our own. ssh2 is used for the
 * transport and for reading messages; its channel layer is replaced (see README.md). test/ssh/ssh2-pins.test.ts fails when a
 * field or the version moves.
 */

/** Messages of the connection protocol, in the order and form that ssh2 hands them over. */
export const channelMethods = [
  "requestSuccess",
  "requestFailure",
  "channelOpenConfirm",
  "channelOpenFail",
  "channelData",
  "channelExtData",
  "channelWindowAdjust",
  "channelEOF",
  "channelClose",
  "channelSuccess",
  "channelFailure",
  "exitStatus",
] as const;

/** What can be sent on channels. */
export interface ChannelMessages {
  requestSuccess(): void;
  requestFailure(): void;
  channelOpenConfirm(peerId: number, ownId: number, window: number, packetSize: number): void;
  channelOpenFail(peerId: number, reason: number, description: string): void;
  channelData(peerId: number, bytes: Buffer): void;
  channelExtData(peerId: number, bytes: Buffer, type: number): void;
  channelWindowAdjust(peerId: number, bytes: number): void;
  channelEOF(peerId: number): void;
  channelClose(peerId: number): void;
  channelSuccess(peerId: number): void;
  channelFailure(peerId: number): void;
  exitStatus(peerId: number, status: number): void;
}

type MessageHandler = (protocol: unknown, ...args: readonly unknown[]) => void;

interface Protocol extends ChannelMessages {
  /** One object for each client; message name → what to do with it. */
  readonly _handlers: Record<string, MessageHandler | undefined>;
  /** Our KEXINIT while a key exchange is unfinished. */
  readonly _kexinit: Buffer | undefined;
  /** Packets waiting for the end of a key exchange. */
  readonly _queue: readonly unknown[] | undefined;
  /** Set by the first KEXINIT of the client. */
  readonly _strictMode: boolean | undefined;
  readonly _packetRW: {
    readonly write: {
      readonly allocStartKEX: number;
      alloc(length: number, force: true): Buffer;
      finalize(packet: Buffer, force: true): Buffer;
    };
  };
  /** Taken anew by each key exchange: gets every payload that is not of a key exchange. Without compression it is the message. */
  readonly _onPayload: (payload: Buffer) => unknown;
  readonly _cipher: { encrypt(packet: Buffer): void };
  rekey(): void;
}

interface Client {
  readonly _sock: Socket;
  readonly _protocol: Protocol;
  readonly authenticated: boolean;
}

/** Reason codes of RFC 4253 §11.1. */
export const disconnectReason = { byApplication: 11, noMoreAuthenticationMethods: 14 } as const;

/** One client's SSH transport. */
export interface Transport {
  readonly messages: ChannelMessages;
  readonly authenticated: () => boolean;
  /** While a key exchange is unfinished ssh2 queues output without bound. */
  readonly exchangingKeys: () => boolean;
  readonly queuedPackets: () => number;
  /** Both sides agreed to strict key exchange (OpenSSH's PROTOCOL §1.10). */
  readonly strict: () => boolean;
  readonly rekey: () => void;
  /** Takes a message over from ssh2. */
  readonly handle: (message: string, handler: (...args: readonly unknown[]) => void) => void;
  readonly sendDisconnect: (reason: number, description: string) => void;
}

// The published types leave the private fields out; `openTransport` checks that they are there.
const opened = (connection: Connection): Client => connection as unknown as Client;

export const socketOf = (connection: Connection): Socket => opened(connection)._sock;

/** Packets up to this size are joined; a larger one, which is data, is not worth a copy. */
const smallPacketBytes = 4 * 1024;
/** Joined packets are handed on from here on: the socket's own count of what waits must not miss much. */
const gatheredBytes = 16 * 1024;

/**
 * Stands between ssh2 and its socket.
 *
 * Keeps ssh2 from saying the identification line a second time: it says it only when it has the socket, which is after the
 * client has spoken; ssh-keyscan and health checks wait for the server's line first (RFC 4253 §4.2 lets them), so
 * `admission.ts` has said it already. It is the first thing ssh2 writes.
 *
 * And gathers the packets that ssh2 writes one by one in one turn of the event loop into one system call: each alone wakes
 * the client, and those calls were a quarter of the processor time of a short session. Small packets become one buffer:
 * each alone in the socket's queue costs 1 KB, an answer to a request 28 bytes.
 */
export const standBefore = (socket: Socket, line: string): void => {
  const write = socket.write.bind(socket);
  const end = socket.end.bind(socket);
  let first = true;
  let gathering = false;
  let small: Uint8Array[] = [];
  let smallBytes = 0;
  const flush = (): boolean => {
    if (smallBytes === 0) return true;
    const bytes = Buffer.concat(small, smallBytes);
    small = [];
    smallBytes = 0;
    return write(bytes);
  };
  const gather = (bytes: Uint8Array | string): boolean => {
    if (first) {
      first = false;
      if (String(bytes) === line) return true;
    }
    if (!gathering) {
      gathering = true;
      socket.cork();
      process.nextTick(() => {
        gathering = false;
        flush();
        socket.uncork();
      });
    }
    if (typeof bytes === "string" || bytes.length > smallPacketBytes) {
      flush();
      return write(bytes);
    }
    small.push(bytes);
    smallBytes += bytes.length;
    return smallBytes < gatheredBytes || flush();
  };
  Reflect.set(socket, "write", gather);
  // What ssh2 said last (DISCONNECT) goes out before the end.
  Reflect.set(socket, "end", (...args: Parameters<Socket["end"]>) => {
    flush();
    return end(...args);
  });
};

/**
 * What stands behind the key in a public-key request (RFC 4252 §7): of a proof the signature with its length; of a probe nothing.
 * @throws WireError
 */
const behindTheKey = (request: Buffer): Buffer => {
  const reader = new WireReader(request);
  reader.byte();
  for (let string = 0; string < 3; string += 1) reader.bytes(); // user, service, method
  reader.byte();
  for (let string = 0; string < 2; string += 1) reader.bytes(); // algorithm, key
  return request.subarray(reader.consumed);
};

/**
 * Hands over signatures as they came. ssh2 looks neither at the two lengths in a signature nor at what stands behind a request,
 * takes a signature without its algorithm's name, and makes DER of ECDSA's: 64 of 1,600 one-bit changes were accepted.
 */
const keepSignaturesWhole = (protocol: Protocol): void => {
  const onPayload = protocol._onPayload;
  let request: Buffer = Buffer.alloc(0);
  Reflect.set(protocol, "_onPayload", (payload: Buffer): unknown => {
    if (payload[0] === 50) request = payload;
    return onPayload(payload);
  });
  const handler = protocol._handlers["USERAUTH_REQUEST"];
  protocol._handlers["USERAUTH_REQUEST"] = (self, ...read) => {
    const [_user, _service, method, found] = read;
    if (method === "publickey" && typeof found === "object" && found !== null) {
      // ssh2 has read the request up to there. A copy: the packet's memory is used again.
      const signature = Buffer.from(behindTheKey(request));
      if (signature.length > 0) Reflect.set(found, "signature", signature);
    }
    handler?.(self, ...read);
  };
};

/** Opens ssh2's client object. Throws when it isn't built as the pinned version is; a connection must then not go on. */
export const openTransport = (connection: Connection): Transport => {
  const client = opened(connection);
  const protocol = client._protocol as Protocol | undefined; // absent in another version
  const whole =
    protocol !== undefined &&
    typeof protocol._handlers === "object" &&
    "_kexinit" in protocol &&
    "_queue" in protocol &&
    "_strictMode" in protocol &&
    typeof protocol._packetRW.write.alloc === "function" &&
    typeof protocol._packetRW.write.finalize === "function" &&
    typeof protocol._packetRW.write.allocStartKEX === "number" &&
    typeof protocol._onPayload === "function" &&
    typeof protocol._handlers["USERAUTH_REQUEST"] === "function" &&
    typeof protocol._cipher.encrypt === "function" &&
    typeof client.authenticated === "boolean" &&
    typeof protocol.rekey === "function" &&
    channelMethods.every((name) => typeof protocol[name] === "function");
  if (!whole) throw new Error("ssh2 is not the version that server/ssh was written for");
  keepSignaturesWhole(protocol);
  return {
    messages: protocol,
    authenticated: () => client.authenticated,
    exchangingKeys: () => protocol._kexinit !== undefined,
    queuedPackets: () => protocol._queue?.length ?? 0,
    strict: () => protocol._strictMode === true,
    rekey: () => protocol.rekey(),
    handle: (message, handler) => {
      protocol._handlers[message] = (_protocol, ...args) => handler(...args);
    },
    // ssh2's own `disconnect()` always leaves the description empty. This too goes out in the middle of a key exchange:
    // in its queue it would be lost.
    sendDisconnect: (reason, description) => {
      const { write } = protocol._packetRW;
      const payload = Buffer.concat([Buffer.of(1), uint32(reason), wireString(description), wireString("")]);
      const packet = write.alloc(payload.length, true);
      packet.set(payload, write.allocStartKEX);
      protocol._cipher.encrypt(write.finalize(packet, true));
    },
  };
};
