/* oxlint-disable no-underscore-dangle -- an attacker speaks through ssh2's private fields, to send what ssh2 would not */
import { once } from "node:events";
import type { Socket } from "node:net";
import ssh2 from "ssh2";
import type { ConnectConfig } from "ssh2";
import { uint32, wireString } from "../../server/identity/wire.ts";

type Handler = (protocol: unknown, ...args: unknown[]) => void;
interface Internals {
  readonly _sock: Socket;
  readonly _protocol: {
    readonly _handlers: Record<string, Handler | undefined>;
    readonly _kex: { readonly sessionID: Buffer } | undefined;
    readonly _packetRW: {
      readonly write: {
        readonly allocStartKEX: number;
        alloc(length: number, force: true): Buffer;
        finalize(packet: Buffer, force: true): Buffer;
      };
    };
    readonly _cipher: { encrypt(packet: Buffer): void };
    readonly _authsQueue: string[];
    readonly _offer: { readonly lists: { readonly all: Buffer } };
    rekey(): void;
  };
}

const bool = (value: boolean): Buffer => Buffer.of(value ? 1 : 0);

/** Messages by hand (RFC 4252 to 4254). */
export const message = {
  publicKeyRequest: (user: string, algorithm: string, key: Uint8Array, signature?: Buffer) =>
    Buffer.concat([
      Buffer.of(50),
      wireString(user),
      wireString("ssh-connection"),
      wireString("publickey"),
      bool(signature !== undefined),
      wireString(algorithm),
      wireString(key),
      signature === undefined ? Buffer.alloc(0) : wireString(signature),
    ]),
  /** RFC 4256 §3.1. */
  keyboardRequest: (user: string) =>
    Buffer.concat([
      Buffer.of(50),
      ...[user, "ssh-connection", "keyboard-interactive", "", ""].map((text) => wireString(text)),
    ]),
  /** RFC 4256 §3.4. */
  answers: (...texts: readonly string[]) =>
    Buffer.concat([Buffer.of(61), uint32(texts.length), ...texts.map((text) => wireString(text))]),
  globalRequest: (name: string, wantReply: boolean) =>
    Buffer.concat([Buffer.of(80), wireString(name), bool(wantReply)]),
  channelOpen: (type: string, id: number, window: number, packetSize: number) =>
    Buffer.concat([Buffer.of(90), wireString(type), uint32(id), uint32(window), uint32(packetSize)]),
  windowAdjust: (id: number, bytes: number) => Buffer.concat([Buffer.of(93), uint32(id), uint32(bytes)]),
  data: (id: number, bytes: Uint8Array) => Buffer.concat([Buffer.of(94), uint32(id), wireString(bytes)]),
  eof: (id: number) => Buffer.concat([Buffer.of(96), uint32(id)]),
  close: (id: number) => Buffer.concat([Buffer.of(97), uint32(id)]),
  request: (id: number, type: string, wantReply: boolean, ...rest: readonly Buffer[]) =>
    Buffer.concat([Buffer.of(98), uint32(id), wireString(type), bool(wantReply), ...rest]),
};

/** Everything the server said on channels, in order. */
export interface Heard {
  readonly name: string;
  readonly args: readonly unknown[];
}

export interface AttackerConnection {
  readonly client: ssh2.Client;
  readonly socket: Socket;
  readonly heard: readonly Heard[];
  /** Sends a payload as it is, also in the middle of a key exchange. */
  send(...payloads: readonly Buffer[]): void;
  sessionId(): Buffer;
  /** Stops reading from the server. */
  deaf(): void;
  /** Reads what the server says and answers nothing, not even a key exchange. */
  ignore(): void;
  rekey(): void;
  /** Lets the socket run again, to notice its end. */
  hear(): void;
  readonly closed: Promise<void>;
  heardOf(name: string): readonly Heard[];
}

const observed = [
  "CHANNEL_OPEN_CONFIRMATION",
  "CHANNEL_OPEN_FAILURE",
  "CHANNEL_DATA",
  "CHANNEL_EXTENDED_DATA",
  "CHANNEL_WINDOW_ADJUST",
  "CHANNEL_EOF",
  "CHANNEL_CLOSE",
  "CHANNEL_REQUEST",
  "CHANNEL_SUCCESS",
  "CHANNEL_FAILURE",
  "REQUEST_SUCCESS",
  "REQUEST_FAILURE",
  "USERAUTH_PK_OK",
  "USERAUTH_FAILURE",
  "USERAUTH_SUCCESS",
  "USERAUTH_INFO_REQUEST",
  "SERVICE_ACCEPT",
  "DISCONNECT",
];

/** ssh2 reads the answer to a USERAUTH_REQUEST by its method; malformed ones are the tests' business. */
const methodOf = (payload: Buffer): string =>
  payload.includes("keyboard-interactive") ? "keyboard-interactive" : "publickey";

export type AttackerConfig = ConnectConfig & {
  readonly strict?: boolean;
  /** Called before anything can fail, for who must end it. */
  readonly onClient?: (client: ssh2.Client) => void;
  /** Called at once for each message, for who measures time. */
  readonly onHeard?: (name: string, args: readonly unknown[]) => void;
};

/**
 * An ssh2 client used at a low level. With `login` it logs in first and all channel messages are the test's own; without,
 * it stops after `ssh-userauth` was asked for.
 */
export const connectAttacker = async (
  port: number,
  login?: { readonly user: string; readonly privateKey: string },
  config: AttackerConfig = {},
): Promise<AttackerConnection> => {
  const client = new ssh2.Client();
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  client.on("error", () => undefined).on("close", () => resolve());
  config.onClient?.(client);
  const internals = client as unknown as Internals; // private fields
  const heard: Heard[] = [];
  client.connect({
    host: "127.0.0.1",
    port,
    username: login?.user ?? "support",
    ...(login === undefined ? { authHandler: () => undefined } : { privateKey: login.privateKey }),
    ...config,
  });
  if (config.strict === false) {
    const offer = internals._protocol._offer.lists.all;
    offer.write("kex-xtrict", offer.indexOf("kex-strict"), "latin1");
  }
  await once(client, login === undefined ? "handshake" : "ready");
  const { _protocol: protocol } = internals;
  for (const name of observed) {
    const before = login === undefined && name !== "DISCONNECT" ? undefined : protocol._handlers[name];
    const mayPass = name === "DISCONNECT";
    protocol._handlers[name] = (self, ...args) => {
      heard.push({ name, args });
      config.onHeard?.(name, args);
      if (mayPass) before?.(self, ...args);
    };
  }
  const heardOf = (name: string): Heard[] => heard.filter((one) => one.name === name);
  return {
    client,
    socket: internals._sock,
    heard,
    heardOf,
    send: (...payloads) => {
      const { write } = protocol._packetRW;
      for (const payload of payloads) {
        if (internals._sock.destroyed) return;
        if (payload[0] === 50) protocol._authsQueue.push(methodOf(payload)); // or ssh2 would not tell of the answer
        const packet = write.alloc(payload.length, true);
        packet.set(payload, write.allocStartKEX);
        protocol._cipher.encrypt(write.finalize(packet, true));
      }
    },
    sessionId: () => {
      const id = protocol._kex?.sessionID;
      if (id === undefined) throw new Error("no key exchange yet");
      return id;
    },
    deaf: () => {
      internals._sock.removeAllListeners("data").pause();
    },
    ignore: () => {
      internals._sock.removeAllListeners("data").resume();
    },
    rekey: () => protocol.rekey(),
    hear: () => {
      internals._sock.resume();
    },
    closed,
  };
};
