import type { Server as TcpServer } from "node:net";
import ssh2 from "ssh2";
import type { ServerConfig } from "ssh2";
import type { EventLog } from "../audit/event.ts";
import type { Authenticator, SecondFactor, AuthenticatedConnection } from "../identity/log-in.ts";
import type { SessionHost } from "../session/contract.ts";
import { createAdmission } from "./admission.ts";
import { offeredAlgorithms } from "./algorithms.ts";
import type { ClientSocket } from "./client-socket.ts";
import { serveConnection } from "./connection.ts";
import { readHostKey, type HostKey } from "./host-key.ts";
import { defaultLimits } from "./limits.ts";
import type { Limits } from "./limits.ts";
import { LiveConnections } from "./live-connections.ts";
import { defaultPenalties, Penalties } from "./penalties.ts";
import type { PenaltySettings } from "./penalties.ts";
import { createRecorder, type Recorder } from "./recorder.ts";
import { socketOf, standBefore } from "./ssh2-internals.ts";

export interface SshServerOptions {
  readonly listen: { readonly host: string; readonly port: number };
  /** An ed25519 private key in OpenSSH's format, without a passphrase. */
  readonly hostKeyPem: string | Buffer;
  /** Software name in the identification line: `SSH-2.0-<ident>`. */
  readonly ident: string;
  /** Legal notice shown before log-in, asked for at each connection; may be empty. */
  readonly banner: string | (() => string);
  readonly authenticator: Authenticator;
  readonly secondFactor: SecondFactor;
  readonly sessions: SessionHost;
  readonly log: EventLog;
  readonly limits?: Partial<Limits>;
  /** What sources earn that end connections without a log-in. */
  readonly penalties?: PenaltySettings;
  /** Where problems go that are nobody's event: for the operator's eyes. */
  readonly report: (problem: string) => void;
}

export interface SshServer {
  readonly address: { readonly host: string; readonly port: number };
  /** `SHA256:…` */
  readonly hostKeyFingerprint: string;
  /** No new connections; those that are there go on. */
  stopAccepting(): void;
  /** Disconnects everybody. Resolves when their sessions are over and their events are recorded. */
  close(): Promise<void>;
  connections(): readonly AuthenticatedConnection[];
  /** @returns whether there was such a connection */
  disconnect(connectionId: string, message: string): boolean;
}

/** Drops before identification are the cheapest thing a stranger can cause, so only so many are recorded one by one. */
const recordedDropsPerMinute = 60;

const createDropRecord = (record: (client: ClientSocket, guard: string) => void, report: (problem: string) => void) => {
  let since = Date.now();
  let recorded = 0;
  let leftOut = 0;
  return (client: ClientSocket, guard: string): void => {
    if (Date.now() - since > 60_000) {
      if (leftOut > 0) report(`${leftOut} connections were dropped at the door and not recorded one by one`);
      since = Date.now();
      recorded = 0;
      leftOut = 0;
    }
    if (recorded < recordedDropsPerMinute) {
      recorded += 1;
      record(client, guard);
    } else leftOut += 1;
  };
};

const listenOn = (server: TcpServer, listen: SshServerOptions["listen"]): Promise<{ host: string; port: number }> =>
  new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(listen.port, listen.host, () => {
      server.off("error", reject);
      const address = server.address();
      if (address === null || typeof address === "string") reject(new Error("no TCP address"));
      else resolve({ host: listen.host, port: address.port });
    });
  });

/** @param banner asked for each client */
const ssh2Configuration = (hostKey: HostKey, ident: string, banner: () => string, limits: Limits): ServerConfig => ({
  hostKeys: [hostKey.privateKey],
  ident,
  // ssh2 reads it anew for each client.
  get banner() {
    return banner().replaceAll(/\r?\n/g, "\r\n");
  },
  keepaliveInterval: limits.keepaliveMs,
  keepaliveCountMax: limits.keepaliveCount,
  algorithms: {
    kex: [...offeredAlgorithms.kex],
    serverHostKey: [...offeredAlgorithms.serverHostKey],
    cipher: [...offeredAlgorithms.cipher],
    hmac: [...offeredAlgorithms.hmac],
    compress: [...offeredAlgorithms.compress],
  },
});

/** Those who said who they are, by their sockets: what ssh2 hands back of them. */
type IdentifiedSockets = WeakMap<object, { readonly client: ClientSocket; readonly software: string }>;

/** ssh2's part, which gets a socket once its client has said who it is. */
const createTransports = (
  options: SshServerOptions & { readonly limits: Limits },
  hostKey: HostKey,
  recorder: Recorder,
  { live, identified }: { readonly live: LiveConnections; readonly identified: IdentifiedSockets },
): ssh2.Server => {
  const banner = (): string => (typeof options.banner === "string" ? options.banner : options.banner());
  return new ssh2.Server(ssh2Configuration(hostKey, options.ident, banner, options.limits), (connection) => {
    // First of all, before anything that may throw: an error nobody listens to ends the process.
    connection.on("error", () => undefined);
    const found = identified.get(socketOf(connection));
    if (found === undefined) throw new Error("a connection that was not admitted");
    const { client, software } = found;
    const served = serveConnection(client, software, connection, {
      limits: options.limits,
      banner: banner(), // in the turn in which ssh2 reads it
      recorder,
      report: options.report,
      authenticator: options.authenticator,
      secondFactor: options.secondFactor,
      sessions: options.sessions,
      connectionsOf: (party) => live.countOf(party),
    });
    live.add(client.connectionId, served);
  });
};

/**
 * Starts the SSH server. Throws an EndpointError for a host key it can't use; rejects when the address is taken.
 */
export const startSshServer = async (options: SshServerOptions): Promise<SshServer> => {
  const limits: Limits = { ...defaultLimits, ...options.limits };
  const { report } = options;
  const hostKey = readHostKey(options.hostKeyPem);
  // RFC 4253 §4.2: no blanks and no minus sign in the software name.
  if (!/^[\x21-\x2c\x2e-\x7e]{1,100}$/.test(options.ident)) throw new Error("ident must be one printable ASCII word");
  const ownLine = `SSH-2.0-${options.ident}\r\n`;
  const recorder = createRecorder(options.log, report);
  const live = new LiveConnections();
  const identified: IdentifiedSockets = new WeakMap();
  const transports = createTransports({ ...options, limits }, hostKey, recorder, { live, identified });

  const recordDrop = createDropRecord(
    (client, guard) => void recorder.record({ type: "connection-dropped", clientAddress: client.address, guard }),
    report,
  );
  const sockets = new Set<ClientSocket>();
  const penalties = new Penalties(options.penalties ?? defaultPenalties, () => performance.now());
  const admission = createAdmission(limits, ownLine, penalties, {
    accepted: (client) => {
      sockets.add(client);
      client.socket.once("close", () => sockets.delete(client));
    },
    dropped: recordDrop,
    penalised: (source, offence, forMs) =>
      void recorder.record({ type: "source-penalised", source, offence, forSeconds: Math.ceil(forMs / 1000) }),
    identified: (client, { software, firstBytes }) => {
      identified.set(client.socket, { client, software });
      standBefore(client.socket, ownLine);
      transports.injectSocket(client.socket);
      client.socket.unshift(firstBytes);
    },
  });
  const address = await listenOn(admission, options.listen);
  admission.on("error", (error) => report(`the listener failed: ${error.message}`));

  return {
    address,
    hostKeyFingerprint: hostKey.fingerprint,
    stopAccepting: () => {
      admission.close();
    },
    connections: () => live.identities(),
    disconnect: (connectionId, message) => live.disconnect(connectionId, message),
    close: async () => {
      admission.close();
      const over = live.dismiss(limits);
      for (const client of sockets) if (!live.has(client.connectionId)) client.socket.destroy();
      if (!(await over())) report("some sessions did not end when their connections were closed");
      await recorder.settled();
    },
  };
};
