import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished, vi } from "vitest";
import type { AuditEvent, EventLog } from "../../server/audit/event.ts";
import type { SecondFactor, AuthenticatedConnection } from "../../server/identity/log-in.ts";
import type { SessionChannel, SessionRequest } from "../../server/session/contract.ts";
import { readAuthorizedKeys } from "../../server/identity/authorized-keys.ts";
import { generateSshKeyPair } from "../../server/identity/generate-key.ts";
import type { SshKeyPair } from "../../server/identity/generate-key.ts";
import type { Limits } from "../../server/ssh/limits.ts";
import { createKeyAuthenticator, readTrustAnchors } from "../../server/identity/key-authenticator.ts";
import { defaultPenalties } from "../../server/ssh/penalties.ts";
import type { PenaltySettings } from "../../server/ssh/penalties.ts";
import { startSshServer } from "../../server/ssh/server.ts";
import type { SshServer } from "../../server/ssh/server.ts";
import { nobodyNeedsOne } from "./no-second-factor.ts";

export type Serve = (
  connection: AuthenticatedConnection,
  request: SessionRequest,
  channel: SessionChannel,
) => Promise<void>;

export interface TestServer {
  readonly server: SshServer;
  readonly port: number;
  readonly events: AuditEvent[];
  readonly problems: string[];
  /** Key of the user `support`, whose public half is authorised. */
  readonly key: SshKeyPair;
  readonly directory: string;
  /** Reads certificate authorities and revoked keys again, as SIGHUP does. */
  readonly reloadAnchors: () => readonly string[];
  /** Adds a key to a user's file and reloads. */
  readonly authorize: (user: string, publicKeyLine: string) => void;
  readonly eventsOf: <T extends AuditEvent["type"]>(type: T) => Extract<AuditEvent, { type: T }>[];
  /** The guard that dropped the first connection, as soon as one did. */
  readonly firstDrop: () => Promise<string>;
}

/** Ends every command with status 0 and no output. */
export const quietHost: Serve = (_connection, _request, channel) => channel.end(0);

/** Says on standard output what was asked, on standard error that it did, and ends with 7. */
export const echoHost: Serve = async (connection, request, channel) => {
  const utf8 = new TextEncoder();
  const asked = request.kind === "exec" ? request.commandLine : "shell";
  await channel.write(utf8.encode(`${connection.connectedUser}: ${asked}\n`));
  await channel.writeError(utf8.encode("said\n"));
  await channel.end(7);
};

/** Writes without end until the channel is closed. */
export const floodingHost: Serve = async (_connection, _request, channel) => {
  const chunk = Buffer.alloc(256 * 1024, 0x61);
  try {
    for (;;) await channel.write(chunk);
  } catch {
    // closed: what the test waits for
  }
};

/** The real server on a port of its own, with a log in memory; closed when the test finishes. */
export const startTestServer = async (
  serve: Serve = quietHost,
  options: {
    readonly limits?: Partial<Limits>;
    /** Left out: an attack from loopback may fail as often as it likes. */
    readonly penalties?: PenaltySettings;
    readonly banner?: string;
    readonly trustedUserCAKeys?: string;
    readonly revokedKeys?: string;
    readonly groupsOf?: (user: string) => readonly string[];
    readonly secondFactor?: SecondFactor;
    readonly append?: (event: AuditEvent) => Promise<void>;
  } = {},
): Promise<TestServer> => {
  const directory = mkdtempSync(join(tmpdir(), "pep-ssh-"));
  const keysDirectory = join(directory, "authorized-keys");
  mkdirSync(keysDirectory, { mode: 0o700 });
  const key = generateSshKeyPair("support@test");
  const lines = new Map<string, string[]>();
  const writeKeys = (user: string, line: string): void => {
    lines.set(user, [...(lines.get(user) ?? []), line]);
    writeFileSync(join(keysDirectory, user), `${lines.get(user)?.join("\n")}\n`, { mode: 0o600 });
  };
  writeKeys("support", key.publicKey);
  const authorizedKeys = readAuthorizedKeys(keysDirectory);
  const anchors = readTrustAnchors({
    trustedUserCAKeys: options.trustedUserCAKeys,
    revokedKeys: options.revokedKeys,
  });
  const authenticator = createKeyAuthenticator({
    authorizedKeys,
    anchors,
    groupsOf: options.groupsOf ?? (() => []),
    mayConnect: () => true,
    now: () => Date.now(),
  });

  const events: AuditEvent[] = [];
  const problems: string[] = [];
  const log: EventLog = {
    append: async (event) => {
      await options.append?.(event);
      events.push(event);
    },
  };
  const server = await startSshServer({
    listen: { host: "127.0.0.1", port: 0 },
    hostKeyPem: generateSshKeyPair("host").privateKey,
    ident: "pep_test",
    banner: options.banner ?? "",
    authenticator,
    secondFactor: options.secondFactor ?? nobodyNeedsOne,
    sessions: { serve, whyNone: () => undefined },
    log,
    limits: { failureDelayMs: 1, ...options.limits },
    penalties: options.penalties ?? { ...defaultPenalties, isExempt: () => true },
    report: (problem) => problems.push(problem),
  });
  onTestFinished(async () => {
    await server.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const eventsOf: TestServer["eventsOf"] = (type) =>
    events.filter((event): event is Extract<AuditEvent, { type: typeof type }> => event.type === type);
  return {
    server,
    port: server.address.port,
    events,
    problems,
    key,
    directory,
    reloadAnchors: () => anchors.reload(),
    authorize: (user, line) => {
      writeKeys(user, line);
      authorizedKeys.reload();
    },
    eventsOf,
    firstDrop: () =>
      vi.waitFor(
        () => {
          const [event] = eventsOf("connection-dropped");
          if (event === undefined) throw new Error("no connection was dropped");
          return event.guard;
        },
        { timeout: 20_000 },
      ),
  };
};
