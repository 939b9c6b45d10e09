import { transcriptPort } from "../audit-review/open-transcript.ts";
import { createReview } from "../audit-review/review.ts";
import { startForwarding } from "../audit-forwarding/forwarding.ts";
import { auditEventTypes } from "../audit/event.ts";
import { transcriptsIn } from "../audit/transcript.ts";
import { pathsIn, type Configuration } from "../configuration.ts";
import { startControlSocket } from "../control/control-socket.ts";
import { codeOf, EndpointError } from "../errors.ts";
import type { Runtime } from "../runtime.ts";
import { createSessionHost, loadSessions, type RunningSessionHost } from "../session/serve-session.ts";
import { createSessionPace } from "../session/session-pace.ts";
import { startSshServer, type SshServer } from "../ssh/server.ts";
import type { SiteDatabase } from "../command/site-database.ts";
import { openSite } from "../site-database/adapters.ts";
import { closeAll } from "./close-all.ts";
import { openApprovals, type Approvals } from "./approvals.ts";
import { createCollectionNotice } from "./collection-notice.ts";
import { readInputs, type Inputs } from "./inputs.ts";
import { openEndpointRecord, type EndpointRecord } from "./record.ts";
import { recordAnchors, reloadInputs } from "./reload.ts";
import { openScreens, type Screens } from "./screens.ts";
import type { Start, Surroundings } from "./start.ts";

/** An endpoint that people can log in to. */
export interface Endpoint {
  readonly address: SshServer["address"];
  /** `SHA256:…` */
  readonly hostKeyFingerprint: string;
  /** All screens have the server's own account. */
  readonly sharesAccount: boolean;
  /** Reads roles, keys and revocations again. Rejects where that could not be recorded; it counts all the same. */
  reload(): Promise<void>;
  /**
   * Starts what no session needs until somebody is logged in: spare UI processes, the code of sessions, the verification of the
   * record. Together they take a processor for half a second, so whoever waits for the address is told it first.
   */
  warm(): Promise<void>;
  /** Takes nobody in, lets running commands finish for a few seconds, and puts the end on the record. */
  drain(reason: string): Promise<void>;
  /** Closes everything, last opened first. */
  close(): Promise<void>;
}

const drainMs = 10_000;

/** Why an address can't be listened on, in words; anything else stays as it is. */
const explainListening = (error: unknown, address: string): unknown => {
  const reasons: Record<string, string> = {
    EADDRINUSE: "another program uses it",
    EACCES: "this account may not listen there",
    EADDRNOTAVAIL: "this machine has no such address",
    ENOTFOUND: "there is no such host",
  };
  const reason = reasons[codeOf(error) ?? ""];
  return reason === undefined
    ? error
    : new EndpointError("ResourceUnavailable", `Can't listen on ${address}: ${reason}.`);
};

/** The site database, which puts its own writes on the record. */
const openSiteStage = async (
  { configuration, surroundings, opened }: Start,
  { log }: EndpointRecord,
): Promise<SiteDatabase> => {
  const { siteDatabase, dataDirectory, backupDirectory } = configuration;
  const { credentialsDirectory } = surroundings.host;
  const site = await openSite(
    siteDatabase,
    { dataDirectory, backupDirectory, credentialsDirectory },
    {
      newest: () => log.siteState(),
      written: (state) => log.append({ type: "site-written", ...state }),
      refused: (refusal) => log.append({ type: "site-refused", ...refusal }),
    },
  );
  opened.defer(() => site.close());
  return site;
};

/** What sessions stand on, besides what was read at first. */
interface Grounds {
  readonly record: EndpointRecord;
  readonly siteDatabase: SiteDatabase;
  readonly screens: Screens;
  readonly approvals: Approvals;
}

const hostSessions = (
  { configuration, runtime }: Start,
  { roles, secondFactor }: Inputs,
  { record, siteDatabase, screens, approvals }: Grounds,
): RunningSessionHost => {
  const { dataDirectory, endpointName, sessionsPerMinute, transcriptLimitBytes } = configuration;
  const { log, feed, budget, strikes, storage, watch } = record;
  const { transcripts } = pathsIn(dataDirectory);
  return createSessionHost({
    shownKeys: approvals.shownKeys,
    searches: approvals.searches,
    log,
    elevations: approvals.elevations,
    secondFactor,
    review: createReview({ dataDirectory, log, feed, eventTypes: auditEventTypes }),
    siteDatabase,
    storage,
    recordProblems: () => watch.problems(),
    budget,
    pace: createSessionPace(sessionsPerMinute, runtime.uptimeMs, ({ connectedUser }) =>
      strikes.note("sessionsPerMinute", connectedUser),
    ),
    roles: () => roles.current,
    uiPool: screens.uiPool,
    openTranscript: transcriptsIn(transcripts, {
      now: runtime.now,
      clockMs: runtime.uptimeMs,
      limitBytes: transcriptLimitBytes,
      giveUpSpace: () => log.giveUpSpace(),
    }),
    transcripts: transcriptPort(transcripts),
    endpointName,
    collectionNotice: createCollectionNotice({
      siteDatabase,
      collection: () => log.collection(),
      uptimeMs: runtime.uptimeMs,
    }),
    runtime,
  });
};

/** The two ways in: SSH, and the control socket of local commands. On the record once both are open. */
const listen = async (
  { configuration, runtime, surroundings, opened }: Start,
  { hostKeyPem, roles, authenticator, secondFactor }: Inputs,
  { log, watch }: EndpointRecord,
  sessions: RunningSessionHost,
): Promise<SshServer> => {
  const { dataDirectory, listen: address, penalties, connectionsPerUser, connectionIdleMs } = configuration;
  const server = await startSshServer({
    listen: address,
    hostKeyPem,
    ident: "pep",
    banner: () => roles.current.session.legalNotice,
    authenticator,
    penalties,
    limits: { connectionsPerUser, connectionIdleMs },
    secondFactor,
    sessions,
    log,
    report: runtime.report,
  }).catch((error: unknown) => {
    throw explainListening(error, `${address.host}:${address.port}`);
  });
  opened.defer(() => server.close());
  const control = await startControlSocket({
    path: pathsIn(dataDirectory).control,
    log,
    recordState: () => watch.state(),
  });
  opened.defer(() => control.close());
  await log.append({
    type: "server-started",
    version: surroundings.host.version,
    listening: `${server.address.host}:${server.address.port}`,
    hostKey: server.hostKeyFingerprint,
    runtime: `node ${process.versions.node}`,
  });
  return server;
};

/** Sends the record on, where endpoint.json names a receiver. Opened last, so closed first: after everything is on the record. */
const forward = async (
  { configuration, runtime, surroundings, opened }: Start,
  { syslogCredentials }: Inputs,
  { log, forwardTo }: EndpointRecord,
): Promise<void> => {
  const { syslog, dataDirectory } = configuration;
  if (syslog === undefined || syslogCredentials === undefined) return;
  const paths = pathsIn(dataDirectory);
  const forwarding = await startForwarding({
    receiver: syslog,
    credentials: syslogCredentials,
    log,
    logDirectory: paths.log,
    cursorPath: paths.syslogCursor,
    hostName: surroundings.host.hostName,
    processId: process.pid,
    version: surroundings.host.version,
    runtime,
  });
  opened.defer(() => forwarding.close());
  forwardTo(forwarding);
};

const openStages = async (start: Start, inputs: Inputs): Promise<Endpoint> => {
  const { runtime } = start;
  const { roles, anchors } = inputs;
  const record = await openEndpointRecord(start, inputs.logKey);
  const { log } = record;
  const siteDatabase = await openSiteStage(start, record);
  const screens = await openScreens(start, inputs, record.strikes);
  const approvals = await openApprovals(start, inputs, log);
  const sessions = hostSessions(start, inputs, { record, siteDatabase, screens, approvals });
  const server = await listen(start, inputs, record, sessions);
  await forward(start, inputs, record);
  await log.append({ type: "configuration-loaded", what: "roles", digest: roles.current.digest });
  await recordAnchors(anchors, log, runtime.report);
  return {
    address: server.address,
    hostKeyFingerprint: server.hostKeyFingerprint,
    sharesAccount: screens.sharesAccount,
    reload: () => reloadInputs(inputs, log, runtime.report).finally(() => sessions.rolesChanged()),
    async warm() {
      screens.uiPool.warm();
      await loadSessions();
      record.beginUpkeep();
    },
    async drain(reason) {
      server.stopAccepting();
      record.feed.end();
      await sessions.drain(drainMs);
      await server.close();
      await log.append({ type: "server-stopped", reason });
    },
    close: () => closeAll(start),
  };
};

/**
 * Opens an endpoint, stage by stage. Where a stage fails, those before it are closed again.
 *
 * @throws EndpointError for what is missing, unsound or taken; it says what to do
 */
export const openEndpoint = async (
  configuration: Configuration,
  runtime: Runtime,
  surroundings: Surroundings,
): Promise<Endpoint> => {
  const opened = new AsyncDisposableStack();
  const start: Start = { configuration, runtime, surroundings, opened };
  const inputs = readInputs(start);
  try {
    return await openStages(start, inputs);
  } catch (error) {
    // Why it did not start matters more than what could not be closed then.
    await closeAll(start).catch((second: unknown) => runtime.report(`after a start that failed: ${String(second)}`));
    throw error;
  }
};
