import type { Connection } from "ssh2";
import type { Origin } from "../audit/event.ts";
import { noticeDigest } from "../session/contract.ts";
import type { Authenticator, SecondFactor, AuthenticatedConnection } from "../identity/log-in.ts";
import type { SessionHost } from "../session/contract.ts";
import type { Party } from "../identity/party.ts";
import { decideLogin } from "./authentication.ts";
import { serveChannels } from "./channels.ts";
import type { ClientSocket } from "./client-socket.ts";
import type { Limits } from "./limits.ts";
import { LogInRecord } from "./log-in-record.ts";
import { readableText } from "./readable-text.ts";
import { createReading } from "./reading.ts";
import type { Recorder } from "./recorder.ts";
import { createRefusals } from "./refusals.ts";
import { disconnectReason, openTransport, type Transport } from "./ssh2-internals.ts";
import { guardTransport } from "./transport-guards.ts";

export interface ConnectionOptions {
  readonly authenticator: Authenticator;
  readonly secondFactor: SecondFactor;
  readonly sessions: SessionHost;
  readonly recorder: Recorder;
  readonly limits: Limits;
  /** The legal notice that this client is shown; may be empty. */
  readonly banner: string;
  readonly report: (problem: string) => void;
  /** On how many connections this person is logged in, by whatever name, this one among them. */
  readonly connectionsOf: (party: Party) => number;
}

/** Settings of endpoint.json that a connection ends for. */
type Budget = "connectionsPerUser" | "connectionIdleMinutes" | "recordMiBPerHour";

/** One identified client, from its first line to its last event. */
export interface LiveConnection {
  readonly identity: () => AuthenticatedConnection | undefined;
  /** Tells the client why, in a sentence, and hangs up. */
  disconnect(message: string): void;
  /**
   * Resolves when the client knows how its sessions ended. OpenSSH's client reads on until there is nothing more: a
   * DISCONNECT right behind an exit status makes it end with 255.
   */
  answered(): Promise<void>;
  /** Resolves when the socket is closed and every session of it is over. */
  readonly over: Promise<void>;
}

/** How this server ends one connection, and why. */
class Dismissal {
  readonly #client: ClientSocket;
  readonly #transport: Transport;
  readonly #origin: () => Origin;
  readonly #options: ConnectionOptions;

  constructor(client: ClientSocket, transport: Transport, origin: () => Origin, options: ConnectionOptions) {
    this.#client = client;
    this.#transport = transport;
    this.#origin = origin;
    this.#options = options;
  }

  /** Tells the client why, in a sentence, and hangs up. */
  disconnect(message: string): void {
    const { socket, gone } = this.#client;
    if (gone || !socket.writable) return;
    this.#transport.sendDisconnect(disconnectReason.byApplication, message);
    socket.end();
    this.#client.destroyAfter(this.#options.limits.closeMs);
  }

  /** For want of a budget: its name is on the record, and in the client's words. */
  endFor(budget: Budget, message: string): void {
    void this.#options.recorder.record({ type: "connection-dropped", ...this.#origin(), guard: budget });
    this.disconnect(message);
  }

  /** Ends the connection of somebody who just logged in and must do without it. */
  unlessWelcome(identity: AuthenticatedConnection): void {
    const { connectionsOf, limits, sessions } = this.#options;
    const others = connectionsOf(identity) - 1;
    // After the log-in's own answer: before it a client would try its next key.
    if (others >= limits.connectionsPerUser) {
      const most = `${limits.connectionsPerUser} is the most a user has at a time (connectionsPerUser).`;
      setImmediate(() => this.endFor("connectionsPerUser", `You have ${others} connections, and ${most}`));
      return;
    }
    const usedUp = sessions.whyNone(identity);
    if (usedUp === undefined) return;
    this.#client.logIn.sendAway();
    setImmediate(() => this.endFor("recordMiBPerHour", usedUp));
  }
}

/** Serves a client: log-in, then channels. Called by ssh2's `connection` event, before our KEXINIT is sent. */
export const serveConnection = (
  client: ClientSocket,
  software: string,
  connection: Connection,
  options: ConnectionOptions,
): LiveConnection => {
  const { limits, recorder, report, sessions, authenticator, secondFactor } = options;
  const { logIn } = client;
  const origin = (): Origin => ({
    connectionId: client.connectionId,
    clientAddress: client.address,
    ...(logIn.identity === undefined ? {} : { connectedUser: logIn.identity.connectedUser }),
  });

  const transport = openTransport(connection);
  client.socket.setMaxListeners(0); // each part listens for "close"; ssh2 adds more
  client.onDrop((guard) => void recorder.record({ type: "connection-dropped", ...origin(), guard }));
  const clientSoftware = readableText(software, 255);
  const opened = recorder.record({ type: "connection-opened", ...origin(), clientSoftware });

  const reading = createReading(client.socket, limits, () => performance.now());
  const refusals = createRefusals(recorder, origin, limits);
  const channels = serveChannels({ client, transport, limits, reading, refusals, report, sessions });
  const dismissal = new Dismissal(client, transport, origin, options);
  guardTransport({
    client,
    connection,
    transport,
    limits,
    reading,
    resumeOutput: () => channels.resumeOutput(),
    inUse: () => channels.inUse(),
    onIdle: () =>
      dismissal.endFor(
        "connectionIdleMinutes",
        `This connection had no session for ${limits.connectionIdleMs / 60_000} minutes (connectionIdleMinutes).`,
      ),
  });
  const noticeShown = options.banner === "" ? undefined : noticeDigest(options.banner);
  decideLogin({
    client,
    connection,
    transport,
    record: new LogInRecord(recorder, origin, { opened, noticeShown }),
    limits,
    report,
    authenticator,
    secondFactor,
  });
  logIn.onLoggedIn((identity) => dismissal.unlessWelcome(identity));

  const { promise: over, resolve: isOver } = Promise.withResolvers<void>();
  client.socket.once("close", () => {
    const sessionsOver = channels.lose();
    refusals.close();
    void recorder.record({ type: "connection-closed", ...origin() });
    void sessionsOver.then(isOver);
  });

  return {
    identity: () => logIn.identity,
    disconnect: (message) => dismissal.disconnect(message),
    answered: () => channels.answered(),
    over,
  };
};
