import type { RequestRefusal } from "../audit/refusal-reasons.ts";
import type { Refusals } from "./refusals.ts";
import type { AuthenticatedConnection, SessionHost } from "../session/contract.ts";
import type { ClientSocket } from "./client-socket.ts";
import type { Limits } from "./limits.ts";
import { createOutputTurns } from "./output-turns.ts";
import { readableText } from "./readable-text.ts";
import type { Reading } from "./reading.ts";
import { OpenChannel } from "./session-channel.ts";
import { createSession } from "./session.ts";
import type { Session } from "./session.ts";
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

interface Slot {
  readonly channel: OpenChannel;
  readonly session: Session;
}

const isUint32 = (raw: unknown): raw is number =>
  typeof raw === "number" && Number.isInteger(raw) && raw >= 0 && raw <= 0xffff_ffff;

export const serveChannels = (options: ChannelsOptions): Channels => {
  const { client, limits, refusals, transport } = options;
  const { messages } = transport;
  const turns = createOutputTurns(
    () =>
      !client.gone &&
      client.socket.writable &&
      !transport.exchangingKeys() &&
      client.socket.writableLength <= limits.socketHighWater,
  );
  const slots = new Map<number, Slot>();
  const runningSessions = new Set<Promise<void>>();
  let nextId = 0;
  let refusedOpens = 0;
  let strayMessages = 0;
  let noMoreSessions = false;
  let freed = Promise.withResolvers<void>();

  const refuseOpen = (peerId: number, code: number, type: string, reason: RequestRefusal, detail: string): void => {
    refusedOpens += 1;
    refusals.refuse({ request: type, reason, detail });
    if (refusedOpens > limits.refusedOpens) client.drop("refused-opens");
    else messages.channelOpenFail(peerId, code, detail);
  };

  const open = (identity: AuthenticatedConnection, raw: unknown): void => {
    const { type, sender, window, packetSize } = raw as Record<string, unknown>; // ssh2 always passes an object
    if (typeof type !== "string" || !isUint32(sender) || !isUint32(window) || !isUint32(packetSize)) {
      client.drop("malformed-message");
    } else if (type !== "session") {
      const forwards = forwardingTypes.has(type);
      const code = forwards ? openFailure.prohibited : openFailure.unknownType;
      refuseOpen(
        sender,
        code,
        type,
        forwards ? "forwarding" : "not available",
        "This endpoint opens sessions only; forwarding is not available.",
      );
    } else if (noMoreSessions) {
      refuseOpen(
        sender,
        openFailure.prohibited,
        type,
        "no more sessions",
        "This connection said that it needs no more sessions.",
      );
    } else if (packetSize < limits.smallestPacket) {
      client.drop("packet-size");
    } else if (slots.size + runningSessions.size >= limits.channelsPerConnection) {
      const detail = `This connection has its ${limits.channelsPerConnection} sessions already.`;
      refuseOpen(sender, openFailure.resourceShortage, type, "too many sessions", detail);
    } else {
      const own = nextId;
      nextId += 1;
      const channel = new OpenChannel({ own, peer: sender }, { window, packetSize }, limits.receiveWindow, {
        messages,
        turns,
      });
      const session = createSession({
        channel,
        identity,
        messages,
        limits,
        refusals,
        drop: (guard) => client.drop(guard),
        report: options.report,
        sessions: options.sessions,
      });
      slots.set(own, { channel, session });
      messages.channelOpenConfirm(sender, own, limits.receiveWindow, 32 * 1024);
    }
  };

  /** A session whose channel is closed still holds its place until it has ended, or clients could pile them up. */
  const free = (own: number, { session }: Slot): void => {
    slots.delete(own);
    freed.resolve();
    freed = Promise.withResolvers();
    const over = session.over();
    if (over === undefined) return;
    runningSessions.add(over);
    void over.finally(() => runningSessions.delete(over));
  };

  const stray = (): void => {
    strayMessages += 1;
    if (strayMessages > limits.strayMessages) client.drop("stray-messages");
  };
  const withSlot = (id: unknown, act: (slot: Slot, own: number) => void): void => {
    const slot = typeof id === "number" ? slots.get(id) : undefined;
    if (slot === undefined || typeof id !== "number") stray();
    else act(slot, id);
  };

  const globalRequest = (rawName: unknown, wantReply: unknown): void => {
    const name = String(rawName);
    if (name === "no-more-sessions@openssh.com") {
      noMoreSessions = true;
      if (wantReply === true) messages.requestSuccess();
      return;
    }
    if (!ordinaryGlobalRequests.has(name)) {
      const reason = forwardingRequests.test(name) ? "forwarding" : "not available";
      refusals.refuse({ request: name, reason, detail: `The request ${readableText(name, 64)} is not available.` });
    }
    if (wantReply === true) messages.requestFailure();
  };

  type Handle = (identity: AuthenticatedConnection, ...args: readonly unknown[]) => void;
  const handlers: Record<string, Handle> = {
    GLOBAL_REQUEST: (_identity, name, wantReply) => globalRequest(name, wantReply),
    CHANNEL_OPEN: (identity, info) => open(identity, info),
    CHANNEL_REQUEST: (_identity, id, type, wantReply, details) =>
      withSlot(id, ({ session }) => session.request(String(type), wantReply === true, details)),
    CHANNEL_DATA: (_identity, id, bytes) =>
      withSlot(id, ({ channel }) => {
        const guard = Buffer.isBuffer(bytes) ? channel.receive(bytes) : "malformed-message";
        if (guard !== undefined) client.drop(guard);
      }),
    // Only a server sends this (RFC 4254 §5.2 with §6); it would bypass the receive window.
    CHANNEL_EXTENDED_DATA: () => client.drop("extended-data"),
    CHANNEL_WINDOW_ADJUST: (_identity, id, bytes) =>
      withSlot(id, ({ channel }) => {
        if (isUint32(bytes)) channel.widen(bytes);
      }),
    CHANNEL_EOF: (_identity, id) => withSlot(id, ({ channel }) => channel.receiveEof()),
    CHANNEL_CLOSE: (_identity, id) =>
      withSlot(id, (slot, own) => {
        slot.session.stop();
        slot.channel.receiveClose(false);
        free(own, slot);
      }),
    // Answers to questions that this server never asks.
    CHANNEL_OPEN_CONFIRMATION: stray,
    CHANNEL_OPEN_FAILURE: stray,
    CHANNEL_SUCCESS: stray,
    CHANNEL_FAILURE: stray,
  };
  for (const [name, handle] of Object.entries(handlers)) {
    transport.handle(name, (...args) => {
      // ssh2 goes on parsing what is left of a segment after a drop.
      if (client.gone) return;
      if (!windowed.has(name)) options.reading.message();
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

  return {
    resumeOutput: () => turns.resume(),
    inUse: () => slots.size + runningSessions.size > 0,
    answered: async () => {
      while ([...slots.values()].some(({ channel }) => channel.sentClose)) await freed.promise;
    },
    lose: async () => {
      for (const [own, slot] of slots) {
        slot.session.stop();
        slot.channel.receiveClose(true);
        free(own, slot);
      }
      await Promise.all(runningSessions);
    },
  };
};
