import { createPublicKey } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readCredentials } from "../audit-forwarding/connection.ts";
import { startForwarding, type Forwarding } from "../audit-forwarding/forwarding.ts";
import { LiveFeed } from "../audit-review/live-feed.ts";
import { watchRecord } from "../audit-review/watch-record.ts";
import { createReview } from "../audit-review/review.ts";
import { auditEventTypes, type AuditEvent } from "../audit/event.ts";
import { keepSummary, type SummaryKeeper } from "../audit/keep-summary.ts";
import { openRecord } from "../audit/open-record.ts";
import { RecordBudget } from "../audit/record-budget.ts";
import { transcriptsIn } from "../audit/transcript.ts";
import { transcriptPort } from "../audit-review/open-transcript.ts";
import { commands } from "../../commands/index.ts";
import { openElevationStore } from "../authorization/elevation-store.ts";
import { Elevations } from "../authorization/elevation.ts";
import { loadRolesFile } from "../authorization/roles-file.ts";
import { readRecentLog } from "../audit/read-recent-log.ts";
import { isLoopback, parseListen, pathsIn, readConfiguration } from "../configuration.ts";
import { startControlSocket } from "../control/control-socket.ts";
import { greetDemo } from "../demo/greet.ts";
import { EndpointError } from "../errors.ts";
import { CodeDelay } from "../identity/second-factor/code-delay.ts";
import { FactorStore } from "../identity/second-factor/factor-store.ts";
import { createSecondFactor } from "../identity/second-factor/judge-code.ts";
import { createSessionHost, loadSessions } from "../session/serve-session.ts";
import { createSessionPace } from "../session/session-pace.ts";
import { isolationInWords, judgeIsolation } from "../session/interactive/isolation.ts";
import { lookAtMachine } from "../session/interactive/accounts/machine.ts";
import { createUiPool } from "../session/interactive/ui-pool.ts";
import { readAuthorizedKeys } from "../identity/authorized-keys.ts";
import { createKeyAuthenticator, readTrustAnchors } from "../identity/key-authenticator.ts";
import { startSshServer } from "../ssh/server.ts";
import { demoUsers, initDataDirectory } from "./init.ts";
import type { Io } from "./io.ts";
import { readLogKey, readPrivateKey } from "../endpoint/private-key.ts";
import { createReload, recordAnchors } from "./reload.ts";
import { openSite } from "../site-database/adapters.ts";
import { startStorageLadder } from "../endpoint/storage.ts";

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
  const { report } = io;
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
  const codeDelay = new CodeDelay();
  const secondFactor = createSecondFactor({
    store: new FactorStore({
      factors: paths.secondFactors,
      uses: paths.secondFactorUses,
      keyFile: configuration.secondFactorKey,
    }),
    delay: codeDelay,
    isRequired: (user) => roles.whySecondFactor(user).length > 0,
    now: () => io.now().getTime(),
  });

  // Asked now, needed later: a directory may take its time.
  const machine = lookAtMachine({
    program: process.execPath,
    bundle: uiBundle,
    range: configuration.userInterface.accounts,
    unanswered: report,
  });
  machine.catch(() => undefined); // awaited below

  const { syslog } = configuration;
  const syslogCredentials = syslog && (() => readCredentials(syslog));
  syslogCredentials?.();
  let forwarding: Forwarding | undefined;

  const closers = createClosers();
  try {
    const feed = new LiveFeed();
    let noteStruck = (
      _budget: Extract<AuditEvent, { type: "budget-struck" }>["budget"],
      _connectedUser: string,
    ): void => undefined;
    const budget = new RecordBudget({
      mebibytesPerHour: configuration.recordMiBPerHour,
      nowMs: io.uptimeMs,
      onStruck: (connectedUser) => noteStruck("recordMiBPerHour", connectedUser),
    });
    let summaries: SummaryKeeper | undefined;
    const log = await openRecord({
      directory: paths.audit,
      key: logKey,
      runtime: io,
      server: io.hostName,
      stop: signals.stop,
      onSegmentOver: () => void summaries?.look(),
      onTaken: (event, length) => budget.takeEvent(event, length),
      onDurable: (lastSeq) => {
        feed.take(lastSeq);
        forwarding?.grown();
      },
    });
    closers.add(() => log.close());
    const { first, last } = configuration.userInterface.accounts;
    const most = { ...configuration, "userInterface.accounts": last - first + 1 };
    noteStruck = (name, connectedUser) => {
      const event = { type: "budget-struck", connectedUser, budget: name, most: most[name] } as const;
      log.append(event).catch((error: unknown) => report(`a budget that was used up: ${String(error)}`));
    };
    const storage = startStorageLadder(paths.audit, configuration.auditReserveBytes, log, io);
    closers.add(() => storage.close());
    const publicKey = createPublicKey(logKey).export({ type: "spki", format: "pem" });
    const watch = watchRecord({
      dataDirectory: options.dataDirectory,
      publicKey,
      log,
      foundBefore: log.foundBefore,
      everyMs: configuration.verifyRecordMs,
      runtime: io,
    });
    closers.add(() => watch.close());
    const keeper = keepSummary({
      directory: paths.audit,
      key: logKey,
      log,
      runtime: io,
      through: log.recentBefore?.through ?? 0,
    });
    closers.add(() => keeper.close());
    const { dataDirectory, backupDirectory } = configuration;
    const { credentialsDirectory } = io;
    const siteDatabase = await openSite(
      configuration.siteDatabase,
      { dataDirectory, backupDirectory, credentialsDirectory },
      {
        newest: () => log.siteState(),
        written: (state) => log.append({ type: "site-written", ...state }),
        refused: (refusal) => log.append({ type: "site-refused", ...refusal }),
      },
    );
    closers.add(() => siteDatabase.close());
    const isolation = judgeIsolation(await machine, configuration.userInterface);
    for (const words of isolationInWords(isolation)) report(words);
    const uiPool = createUiPool({
      bundle: uiBundle,
      isolation,
      report,
      onUsedUp: (connectedUser) => noteStruck("userInterface.accounts", connectedUser),
      spare: configuration.spareUiProcesses,
      onLost: ({ cause, detail, connectedUser }) =>
        report(
          `a UI process${connectedUser === undefined ? "" : ` of ${connectedUser}`} was lost: ${cause} (${detail})`,
        ),
    });
    closers.add(() => uiPool.close());
    const recent = readRecentLog(paths.log, io.now(), log.recentBefore);
    for (const party of recent.gaveCode) codeDelay.succeeded(party);
    const elevations = new Elevations({
      store: await openElevationStore(paths.elevation),
      log,
      now: io.now,
      times: () => roles.session,
      over: recent.endedElevations,
    });
    closers.add(() => elevations.close());
    await elevations
      .compact()
      .catch((error: unknown) => report(`${paths.elevation} stays as large as it is: ${String(error)}`));
    const sessions = createSessionHost({
      shownKeys: recent.shownKeys,
      log,
      elevations,
      secondFactor,
      review: createReview({ dataDirectory: options.dataDirectory, log, feed, eventTypes: auditEventTypes }),
      siteDatabase,
      storage,
      recordProblems: () => watch.problems(),
      budget,
      pace: createSessionPace(configuration.sessionsPerMinute, io.uptimeMs, ({ connectedUser }) =>
        noteStruck("sessionsPerMinute", connectedUser),
      ),
      roles: () => roles,
      uiPool,
      openTranscript: transcriptsIn(paths.transcripts, {
        now: io.now,
        clockMs: io.uptimeMs,
        limitBytes: configuration.transcriptLimitBytes,
        giveUpSpace: () => log.giveUpSpace(),
      }),
      transcripts: transcriptPort(paths.transcripts),
      endpointName: configuration.endpointName,
      runtime: io,
    });
    const server = await startSshServer({
      listen,
      hostKeyPem,
      ident: "pep",
      banner: () => roles.session.legalNotice,
      authenticator,
      penalties: configuration.penalties,
      limits: {
        connectionsPerUser: configuration.connectionsPerUser,
        connectionIdleMs: configuration.connectionIdleMs,
      },
      secondFactor,
      sessions,
      log,
      report,
    }).catch((error: unknown) => {
      throw explainListening(error, `${listen.host}:${listen.port}`);
    });
    closers.add(() => server.close());
    const control = await startControlSocket({
      path: paths.control,
      log,
      recordState: () => watch.state(),
    });
    closers.add(() => control.close());
    await log.append({
      type: "server-started",
      version: io.version,
      listening: `${server.address.host}:${server.address.port}`,
      hostKey: server.hostKeyFingerprint,
      runtime: `node ${process.versions.node}`,
    });
    if (syslog !== undefined && syslogCredentials !== undefined) {
      const started = await startForwarding({
        receiver: syslog,
        credentials: syslogCredentials,
        log,
        logDirectory: paths.log,
        cursorPath: paths.syslogCursor,
        hostName: io.hostName,
        processId: process.pid,
        version: io.version,
        runtime: io,
      });
      // Closed first, so after everything is on the record and before the log is.
      closers.add(() => started.close());
      forwarding = started;
    }
    await log.append({ type: "configuration-loaded", what: "roles", digest: roles.digest });
    await recordAnchors(anchors, log, io);

    const reload = createReload(
      rolesPath,
      (next) => {
        roles = next;
      },
      keys,
      anchors,
      log,
      io,
    );
    signals.onReload(() => {
      const reloaded = reload().finally(() => sessions.rolesChanged());
      reloaded.catch((error: unknown) => report(`the reload could not be recorded: ${String(error)}`));
    });
    if (configuration.demo) {
      const sharesAccount = isolation.kind === "shared-account";
      await greetDemo(configuration, server.address.port, { users: demoUsers, sharesAccount }, io.stderr);
    }
    io.stdout.write(`listening on ${server.address.host}:${server.address.port} ${server.hostKeyFingerprint}\n`);
    // Neither before that line: together they take a processor for half a second, and no session needs them until one is logged in.
    uiPool.warm();
    await loadSessions();
    void watch.begin();
    summaries = keeper;
    void keeper.look();

    if (!signals.stop.aborted) {
      await new Promise<void>((resolve) => signals.stop.addEventListener("abort", () => resolve(), { once: true }));
    }
    server.stopAccepting();
    feed.end();
    await sessions.drain(drainMs);
    await server.close();
    await log.append({ type: "server-stopped", reason: String(signals.stop.reason) });
    return 0;
  } finally {
    await closers.closeAll();
  }
};
