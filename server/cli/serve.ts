import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { EventLog } from "../audit/event.ts";
import { openRecord } from "../audit/open-record.ts";
import { transcriptsIn } from "../audit/transcript.ts";
import { commands } from "../../commands/index.ts";
import type { CheckedRoles } from "../authorization/decode-roles.ts";
import { loadRolesFile } from "../authorization/roles-file.ts";
import { isLoopback, parseListen, pathsIn, readConfiguration, type Configuration } from "../configuration.ts";
import { startControlSocket } from "../control/control-socket.ts";
import { EndpointError } from "../errors.ts";
import { createSessionHost } from "../session/serve-session.ts";
import { createUiPool } from "../session/interactive/ui-pool.ts";
import { readAuthorizedKeys, type AuthorizedKeys } from "../ssh/authorized-keys.ts";
import { createKeyAuthenticator, readTrustAnchors, type TrustAnchors } from "../ssh/key-authenticator.ts";
import { startSshServer } from "../ssh/server.ts";
import { demoUsers, initDataDirectory } from "./init.ts";
import type { Io } from "./io.ts";
import { readLogKey, readPrivateKey } from "./private-key.ts";
import { openSite } from "./site.ts";

export interface ServeOptions {
  readonly dataDirectory: string;
  readonly config: string | undefined;
  readonly roles: string | undefined;
  readonly listen: string | undefined;
  readonly demo: boolean;
}

/** What the operating system tells a running server: SIGHUP, and SIGTERM or Ctrl-C. */
export interface Signals {
  onReload(reload: () => void): void;
  readonly stop: AbortSignal;
}

const drainMs = 10_000;

/** Why an address can't be listened on, in words; anything else stays as it is. */
const explainListening = (error: unknown, address: string): unknown => {
  if (!(error instanceof Error && "code" in error)) return error;
  const reasons: Record<string, string> = {
    EADDRINUSE: "another program uses it",
    EACCES: "this account may not listen there",
    EADDRNOTAVAIL: "this machine has no such address",
    ENOTFOUND: "there is no such host",
  };
  const reason = reasons[String(error.code)];
  return reason === undefined
    ? error
    : new EndpointError("ResourceUnavailable", `Can't listen on ${address}: ${reason}.`);
};

const digestOf = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");

/** ssh_config(5) quoting: a path may hold blanks. */
const quoted = (path: string): string => `"${path}"`;

/** Writes the demo's own ssh_config and known_hosts, and shows lines to paste. */
const greetDemo = (configuration: Configuration, port: number, io: Io): void => {
  const paths = pathsIn(configuration.dataDirectory);
  const [type = "", blob = ""] = readFileSync(`${paths.hostKey}.pub`, "utf8").trim().split(" ");
  writeFileSync(paths.knownHosts, `[127.0.0.1]:${port} ${type} ${blob}\n`);
  writeFileSync(
    paths.sshConfiguration,
    [
      "Host pep",
      "  HostName 127.0.0.1",
      `  Port ${port}`,
      `  IdentityFile ${quoted(join(paths.demoKeys, "%r"))}`,
      "  IdentitiesOnly yes",
      `  UserKnownHostsFile ${quoted(paths.knownHosts)}`,
      "  StrictHostKeyChecking yes",
      "",
    ].join("\n"),
  );
  const ssh = `ssh -F ${paths.sshConfiguration}`;
  io.stderr.write(
    [
      "WARNING: this is a demo. Its master key lies in its data directory, so its recovery keys are not protected.",
      "",
      `Log in, with a screen:   ${ssh} support@pep`,
      `One key, for a script:   ${ssh} support@pep 'Get-RecoveryKeys -ComputerName DEMO-PC-01'`,
      `All keys as CSV:         ${ssh} exporter@pep 'Get-RecoveryKeys -raw -Format csv'`,
      `Check the certificate:   ${ssh} certadmin@pep verify-cert`,
      "",
      `Users: ${demoUsers.join(", ")}. Stop with Ctrl-C.`,
      "",
    ].join("\n"),
  );
};

/** Everything that must be closed again, last opened first. */
const createClosers = () => {
  const closers: (() => Promise<void> | void)[] = [];
  return {
    add: (close: () => Promise<void> | void): void => {
      closers.unshift(close);
    },
    async closeAll(): Promise<void> {
      for (const close of closers.splice(0)) await close();
    },
  };
};

/** Which certificate authorities and revoked keys count from now on; on the record where there are any. */
const recordAnchors = async (anchors: TrustAnchors, log: EventLog, io: Io): Promise<void> => {
  for (const problem of anchors.problems) io.stderr.write(`pep: ${problem}\n`);
  for (const problem of anchors.problems) {
    await log.append({ type: "configuration-refused", what: "trust-anchors", problem: problem.slice(0, 1000) });
  }
  if (anchors.digest !== undefined) {
    await log.append({ type: "configuration-loaded", what: "trust-anchors", digest: anchors.digest });
  }
};

/** Reads roles and keys again on SIGHUP; what is broken never replaces what is good (design §8). */
const createReload = (
  rolesPath: string,
  apply: (roles: CheckedRoles) => void,
  keys: AuthorizedKeys,
  anchors: TrustAnchors,
  log: EventLog,
  io: Io,
) => {
  return async (): Promise<void> => {
    // Keys first: that a removed or revoked key is refused must not depend on a record that can't be written.
    anchors.reload();
    let problems: readonly string[];
    try {
      problems = keys.reload();
    } catch (error) {
      problems = [`kept the keys in force: ${error instanceof Error ? error.message : String(error)}`];
    }
    for (const problem of problems) io.stderr.write(`pep: ${problem}\n`);
    let refused: string | undefined;
    try {
      const roles = loadRolesFile(rolesPath, commands);
      apply(roles);
      io.stderr.write(`pep: reloaded ${rolesPath}\n`);
    } catch (error) {
      refused = error instanceof Error ? error.message : String(error);
      io.stderr.write(`pep: kept the roles in force: ${refused}\n`);
    }
    await recordAnchors(anchors, log, io);
    await log.append({ type: "configuration-loaded", what: "authorized-keys", digest: keys.digest });
    await log.append(
      refused === undefined
        ? { type: "configuration-loaded", what: "roles", digest: digestOf(rolesPath) }
        : { type: "configuration-refused", what: "roles", problem: refused.slice(0, 1000) },
    );
  };
};

/** `pep serve`: runs until a stop signal, then drains. Resolves with the exit status. */
export const serveCommand = async (options: ServeOptions, signals: Signals, io: Io): Promise<number> => {
  const paths = pathsIn(options.dataDirectory);
  if (options.demo) {
    const asked = options.listen === undefined ? undefined : parseListen(options.listen);
    if (asked !== undefined && !isLoopback(asked.host)) {
      throw new EndpointError("InvalidArgument", "A demo listens on loopback only: its keys protect nothing.");
    }
    await initDataDirectory({ dataDirectory: options.dataDirectory, demo: true }, io);
  }
  const configuration = readConfiguration(options.dataDirectory, options.config ?? paths.endpoint);
  const listen = options.listen === undefined ? configuration.listen : parseListen(options.listen);
  if (configuration.demo && !isLoopback(listen.host)) {
    throw new EndpointError("InvalidArgument", "A demo's data directory is served on loopback only.");
  }
  const hostKeyPem = readPrivateKey(paths.hostKey, "host key");
  const logKey = readLogKey(paths.logKey);
  const rolesPath = options.roles ?? paths.roles;
  let roles = loadRolesFile(rolesPath, commands);
  const uiBundle = join(io.packageRoot, "dist", "ui", "ui.mjs");
  if (!existsSync(uiBundle)) {
    throw new EndpointError("ObjectNotFound", `${uiBundle} is missing; run: npm run build`);
  }
  const report = (problem: string): void => io.stderr.write(`pep: ${problem}\n`);
  const keys = readAuthorizedKeys(paths.authorizedKeys);
  keys.problems.forEach(report);
  const anchors = readTrustAnchors(configuration);
  const authenticator = createKeyAuthenticator({
    authorizedKeys: keys,
    anchors,
    // The roles in force when somebody logs in, not those of the start.
    groupsOf: (user) => roles.groupsOf(user),
    mayConnect: (user) => roles.mayConnect(user),
    now: () => io.now().getTime(),
  });

  const closers = createClosers();
  try {
    const log = await openRecord({
      directory: paths.audit,
      key: logKey,
      now: io.now,
      uptimeMs: io.uptimeMs,
      report,
    });
    closers.add(() => log.close());
    const siteDatabase = await openSite(configuration, io);
    closers.add(() => siteDatabase.close());
    const uiPool = createUiPool({
      bundle: uiBundle,
      spare: configuration.spareUiProcesses,
      onLost: ({ cause, detail, connectedUser }) =>
        report(
          `a UI process${connectedUser === undefined ? "" : ` of ${connectedUser}`} was lost: ${cause} (${detail})`,
        ),
    });
    closers.add(() => uiPool.close());
    const sessions = createSessionHost({
      log,
      siteDatabase,
      roles: () => roles,
      uiPool,
      openTranscript: transcriptsIn(paths.transcripts, io.now, io.uptimeMs),
      endpointName: configuration.endpointName,
      now: io.now,
      uptimeMs: io.uptimeMs,
      report,
    });
    const server = await startSshServer({
      listen,
      hostKeyPem,
      ident: "pep",
      banner: () => roles.session.legalNotice,
      authenticator,
      sessions,
      log,
      report,
    }).catch((error: unknown) => {
      throw explainListening(error, `${listen.host}:${listen.port}`);
    });
    closers.add(() => server.close());
    uiPool.warm();
    const control = await startControlSocket({ path: paths.control, log });
    closers.add(() => control.close());
    await log.append({
      type: "server-started",
      version: io.version,
      listening: `${server.address.host}:${server.address.port}`,
      hostKey: server.hostKeyFingerprint,
      runtime: `node ${process.versions.node}`,
    });
    await log.append({ type: "configuration-loaded", what: "roles", digest: digestOf(rolesPath) });
    await recordAnchors(anchors, log, io);

    const reload = createReload(
      rolesPath,
      (next) => {
        roles = next;
        sessions.rolesChanged();
      },
      keys,
      anchors,
      log,
      io,
    );
    signals.onReload(() => {
      reload().catch((error: unknown) => report(`the reload could not be recorded: ${String(error)}`));
    });
    if (configuration.demo) greetDemo(configuration, server.address.port, io);
    io.stdout.write(`listening on ${server.address.host}:${server.address.port} ${server.hostKeyFingerprint}\n`);

    if (!signals.stop.aborted) {
      await new Promise<void>((resolve) => signals.stop.addEventListener("abort", () => resolve(), { once: true }));
    }
    server.stopAccepting();
    await sessions.drain(drainMs);
    await server.close();
    await log.append({ type: "server-stopped", reason: String(signals.stop.reason) });
    return 0;
  } finally {
    await closers.closeAll();
  }
};
