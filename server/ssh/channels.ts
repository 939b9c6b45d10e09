import type { RequestRefusal } from "../audit/refusal-reasons.ts";
import type { Refusals } from "./refusals.ts";
import type { SessionHost } from "../session/contract.ts";
import type { AuthenticatedConnection } from "../identity/log-in.ts";
import type { ClientSocket } from "./client-socket.ts";
import type { Limits } from "./limits.ts";
import { ChannelTable, type Slot } from "./channel-table.ts";
import { createOutputTurns, type OutputTurns } from "./output-turns.ts";
import { readableText } from "./readable-text.ts";
import type { Reading } from "./reading.ts";
import { OpenChannel, type PeerWindow } from "./session-channel.ts";
import { createSession } from "./session.ts";
import type { Transport } from "./ssh2-internals.ts";

/*
 * The connection protocol (RFC 4254), server side, session channels only. It takes the place of ssh2's handlers instead of
 * wrapping them: what ssh2's Session and Channel get wrong (see README.md) then isn't there to be guarded.
 */

const openFailure = { prohibited: 1, unknownType: 3, resourceShortage: 4 } as const; // RFC 4254 §5.1
const forwardingTypes = new Set(["direct-tcpip", "direct-streamlocal@openssh.com", "forwarded-tcpip", "x11"]);
const forwardingRequests = /^(cancel-)?(tcpip|streamlocal)-forward(@openssh\.com)?$/;
/** Bounded by the window that the other side grants; all other messages are counted. */
const windowed = new Set(["CHANNEL_DATA", "CHANNEL_WINDOW_ADJUST"]);
/** Asked by every OpenSSH client; answered, and not worth a line in the log. */
const ordinaryGlobalRequests = new Set(["keepalive@openssh.com", "hostkeys-prove-00@openssh.com"]);

export interface ChannelsOptions {
  readonly client: ClientSocket;
  readonly transport: Transport;
  readonly limits: Limits;
  readonly reading: Reading;
  readonly refusals: Refusals;
  readonly sessions: SessionHost;
  readonly report: (problem: string) => void;
}

export interface Channels {
  /** The socket drained or a key exchange ended. */
  resumeOutput(): void;
  /** Whether there is a session, or one that has not ended yet. */
  inUse(): boolean;
  /** Resolves when the client has closed every channel that was closed here: then it has the exit status too. */
  answered(): Promise<void>;
  /** The connection is lost: closes every channel. Resolves when their sessions are over. */
  lose(): Promise<void>;
}

interface RefusedOpen {
  readonly code: number;
  readonly reason: RequestRefusal;
  /** What the client is told. */
  readonly detail: string;
}

const sessionsOnly = "This endpoint opens sessions only; forwarding is not available.";

const isUint32 = (raw: unknown): raw is number =>
  typeof raw === "number" && Number.isInteger(raw) && raw >= 0 && raw <= 0xffff_ffff;

type Handle = (identity: AuthenticatedConnection, ...args: readonly unknown[]) => void;

/** What a client asks of its channels, message by message. */
class ClientChannels implements Channels {
  readonly #options: ChannelsOptions;
  readonly #table = new ChannelTable();
  readonly #turns: OutputTurns;
  #refusedOpens = 0;
  #strayMessages = 0;
  #noMoreSessions = false;

  constructor(options: ChannelsOptions) {
    this.#options = options;
    const { client, limits, transport } = options;
    this.#turns = createOutputTurns(
      () =>
        !client.gone &&
        client.socket.writable &&
        !transport.exchangingKeys() &&
        client.socket.writableLength <= limits.socketHighWater,
    );
  }

  resumeOutput(): void {
    this.#turns.resume();
  }

  inUse(): boolean {
    return this.#table.size > 0;
  }

  answered(): Promise<void> {
    return this.#table.answered();
  }

  lose(): Promise<void> {
    return this.#table.lose();
  }

  /** By the names of their messages. */
  handlers(): Readonly<Record<string, Handle>> {
    const { client } = this.#options;
    const stray = (): void => this.#stray();
    return {
      GLOBAL_REQUEST: (_identity, name, wantReply) => this.#globalRequest(String(name), wantReply),
      CHANNEL_OPEN: (identity, info) => this.#open(identity, info),
      CHANNEL_REQUEST: (_identity, id, ...asked) =>
        this.#withSlot(id, ({ session }) => {
          const [type, wantReply, details] = asked;
          session.request(String(type), wantReply === true, details);
        }),
      CHANNEL_DATA: (_identity, id, bytes) =>
        this.#withSlot(id, ({ channel }) => {
          const guard = Buffer.isBuffer(bytes) ? channel.receive(bytes) : "malformed-message";
          if (guard !== undefined) client.drop(guard);
        }),
      // Only a server sends this (RFC 4254 §5.2 with §6); it would bypass the receive window.
      CHANNEL_EXTENDED_DATA: () => client.drop("extended-data"),
      CHANNEL_WINDOW_ADJUST: (_identity, id, bytes) =>
        this.#withSlot(id, ({ channel }) => {
          if (isUint32(bytes)) channel.widen(bytes);
        }),
      CHANNEL_EOF: (_identity, id) => this.#withSlot(id, ({ channel }) => channel.receiveEof()),
      CHANNEL_CLOSE: (_identity, id) => this.#withSlot(id, (slot) => this.#table.close(slot, false)),
      // Answers to questions that this server never asks.
      CHANNEL_OPEN_CONFIRMATION: stray,
      CHANNEL_OPEN_FAILURE: stray,
      CHANNEL_SUCCESS: stray,
      CHANNEL_FAILURE: stray,
    };
  }

  #open(identity: AuthenticatedConnection, raw: unknown): void {
    const { client, limits } = this.#options;
    const { type, sender, window, packetSize } = raw as Record<string, unknown>; // ssh2 always passes an object
    if (typeof type !== "string" || !isUint32(sender) || !isUint32(window) || !isUint32(packetSize)) {
      client.drop("malformed-message");
    } else if (forwardingTypes.has(type)) {
      this.#refuseOpen(sender, type, { code: openFailure.prohibited, reason: "forwarding", detail: sessionsOnly });
    } else if (type !== "session") {
      this.#refuseOpen(sender, type, { code: openFailure.unknownType, reason: "not available", detail: sessionsOnly });
    } else if (this.#noMoreSessions) {
      const detail = "This connection said that it needs no more sessions.";
      this.#refuseOpen(sender, type, { code: openFailure.prohibited, reason: "no more sessions", detail });
    } else if (packetSize < limits.smallestPacket) {
      client.drop("packet-size");
    } else if (this.#table.size >= limits.channelsPerConnection) {
      const detail = `This connection has its ${limits.channelsPerConnection} sessions already.`;
      this.#refuseOpen(sender, type, { code: openFailure.resourceShortage, reason: "too many sessions", detail });
    } else {
      this.#openSession(identity, sender, { window, packetSize });
    }
  }

  #openSession(identity: AuthenticatedConnection, peer: number, window: PeerWindow): void {
    const { client, limits, refusals, report, sessions, transport } = this.#options;
    const { messages } = transport;
    const own = this.#table.newId();
    const channel = new OpenChannel({ own, peer }, window, limits.receiveWindow, { messages, turns: this.#turns });
    const session = createSession({
      channel,
      identity,
      messages,
      limits,
      refusals,
      drop: (guard) => client.drop(guard),
      report,
      sessions,
    });
    this.#table.add({ channel, session });
    messages.channelOpenConfirm(peer, own, limits.receiveWindow, 32 * 1024);
  }

  #refuseOpen(peer: number, type: string, { code, reason, detail }: RefusedOpen): void {
    const { client, limits, refusals, transport } = this.#options;
    this.#refusedOpens += 1;
    refusals.refuse({ request: type, reason, detail });
    if (this.#refusedOpens > limits.refusedOpens) client.drop("refused-opens");
    else transport.messages.channelOpenFail(peer, code, detail);
  }

  #globalRequest(name: string, wantReply: unknown): void {
    const { refusals, transport } = this.#options;
    if (name === "no-more-sessions@openssh.com") {
      this.#noMoreSessions = true;
      if (wantReply === true) transport.messages.requestSuccess();
      return;
    }
    if (!ordinaryGlobalRequests.has(name)) {
      const reason = forwardingRequests.test(name) ? "forwarding" : "not available";
      refusals.refuse({ request: name, reason, detail: `The request ${readableText(name, 64)} is not available.` });
    }
    if (wantReply === true) transport.messages.requestFailure();
  }

  #withSlot(id: unknown, act: (slot: Slot) => void): void {
    const slot = this.#table.find(id);
    if (slot === undefined) this.#stray();
    else act(slot);
  }

  #stray(): void {
    this.#strayMessages += 1;
    if (this.#strayMessages > this.#options.limits.strayMessages) this.#options.client.drop("stray-messages");
  }
}

/** Takes the messages of the connection protocol over from ssh2. */
export const serveChannels = (options: ChannelsOptions): Channels => {
  const { client, limits, reading, transport } = options;
  const channels = new ClientChannels(options);
  for (const [name, handle] of Object.entries(channels.handlers())) {
    transport.handle(name, (...args) => {
      // ssh2 goes on parsing what is left of a segment after a drop.
      if (client.gone) return;
      if (!windowed.has(name)) reading.message();
      const { identity } = client.logIn;
      if (identity === undefined || !transport.authenticated()) {
        client.drop("pre-authentication-message");
      } else if (transport.queuedPackets() > limits.keyExchangeQueue) {
        client.drop("key-exchange-queue");
      } else {
        handle(identity, ...args);
      }
    });
  }
  return channels;
};
