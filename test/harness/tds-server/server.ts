import { once } from "node:events";
import { createServer } from "node:net";
import { FaultBook } from "./faults.ts";
import type { FaultPlan } from "./faults.ts";
import type { LoginRecord } from "./login.ts";
import { largestPacket } from "./packets.ts";
import type { TdsRequest } from "./rpc.ts";
import { TdsSession } from "./session.ts";
import type { OnQuery } from "./answer.ts";
import type { TlsIdentity } from "./tls.ts";
import type { ServerMessage } from "./tokens.ts";

export interface TdsServerOptions {
  /** `strict: false` refuses TDS 8.0 (TLS first), as a server before SQL Server 2022 does. */
  readonly tls: TlsIdentity & { readonly strict?: boolean };
  readonly onQuery: OnQuery;
  /** A connection has ended, for whatever reason. */
  readonly onEnd?: (connection: number) => void;
  /** The errors that refuse a login. Without it every password is right and integrated authentication is refused. */
  readonly login?: (login: LoginRecord) => readonly ServerMessage[] | undefined;
  readonly faults?: FaultPlan;
  /** Upper bound of the packet size to agree on. */
  readonly packetSize?: number;
  /** Rows with NULLs go as NBCROW; on unless switched off. */
  readonly nullBitmapRows?: boolean;
}

export interface TdsServer {
  readonly port: number;
  /** Open at this moment. */
  connections(): number;
  /** Accepted since the start. */
  accepted(): number;
  /** Every LOGIN7 that arrived, whatever became of it. */
  logins(): readonly LoginRecord[];
  /** Every request that arrived, without the SET statements of drivers. */
  requests(): readonly TdsRequest[];
  /** How often a client cancelled. */
  attentions(): number;
  /** What the server could not make sense of; a test that ends with any has found a bug on one side. */
  problems(): readonly string[];
  /** From now on, for connections that are open as well. */
  setFaults(plan: FaultPlan): void;
  /** Ends every connection. */
  close(): Promise<void>;
}

/** [MS-TDS] says SSPI bytes in LOGIN7; the exchange that would have to follow is not written here. */
const refuseIntegrated = ({ sspi }: LoginRecord): readonly ServerMessage[] | undefined =>
  sspi.length === 0
    ? undefined
    : [{ number: 18452, class: 14, message: "Login failed. The login is from an untrusted domain." }];

/** A TDS 7.4 and 8.0 server on the loopback address. */
export const startTdsServer = async (options: TdsServerOptions): Promise<TdsServer> => {
  const { key, cert, strict = true } = options.tls;
  const faults = new FaultBook(options.faults ?? {});
  const sessions = new Set<TdsSession>();
  const logins: LoginRecord[] = [];
  const requests: TdsRequest[] = [];
  const problems: string[] = [];
  let accepted = 0;
  let attentions = 0;
  const server = createServer((socket) => {
    accepted += 1;
    const number = accepted;
    const session = new TdsSession(socket, number, {
      identity: { key, cert },
      strictAllowed: strict,
      largestPacketSize: options.packetSize ?? largestPacket,
      nullBitmapRows: options.nullBitmapRows ?? true,
      faults,
      onQuery: options.onQuery,
      checkLogin: options.login ?? refuseIntegrated,
      recordLogin: (login) => logins.push(login),
      recordRequest: (request) => requests.push(request),
      recordAttention: () => {
        attentions += 1;
      },
      report: (problem) => problems.push(problem),
    });
    sessions.add(session);
    socket.on("close", () => {
      sessions.delete(session);
      options.onEnd?.(number);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return {
    port: address.port,
    connections: () => sessions.size,
    accepted: () => accepted,
    logins: () => logins,
    requests: () => requests,
    attentions: () => attentions,
    problems: () => problems,
    setFaults: (plan) => faults.set(plan),
    close: async () => {
      const closed = once(server, "close");
      server.close();
      for (const session of sessions) session.close();
      await closed;
    },
  };
};
