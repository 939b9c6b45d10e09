import { randomBytes } from "node:crypto";
import type { ClosedTranscript, OpenTranscript } from "../audit/contract.ts";
import type { EventLog, Origin } from "../audit/event.ts";
import type { RecordBudget } from "../audit/record-budget.ts";
import type { StorageLadder } from "../audit/storage-ladder.ts";
import type { Roles, VisibleCommands } from "../authorization/contract.ts";
import { createElevationGate } from "../authorization/elevation-gate.ts";
import type { Elevations } from "../authorization/elevation.ts";
import type { ReviewFor } from "../audit-review/review.ts";
import { EndpointError } from "../errors.ts";
import { identitiesOf, type Party } from "../identity/party.ts";
import type { TranscriptPort } from "../command/transcript-port.ts";
import type { SiteDatabase } from "../command/site-database.ts";
import type { SecondFactor } from "../identity/log-in.ts";
import type { AuthenticatedConnection, SessionChannel, SessionHost, SessionRequest } from "./contract.ts";
import { CommandTurns } from "./command-turns.ts";
import { DisclosureCounts } from "./disclosure-counts.ts";
import type { ShownKey } from "./disclosure-counts.ts";
import { createInvoke } from "./invoke.ts";
import { createLiveSessions } from "./live-sessions.ts";
import { closePorts } from "./open-ports.ts";
import { createSessionLock } from "./session-lock.ts";
import type { SessionPace } from "./session-pace.ts";
import { whyEnded, whyNotToBegin } from "./standing.ts";
import { noticeDigest } from "./notice-digest.ts";
import type { UiPool } from "./interactive/ui-pool.ts";
import type { Runtime } from "../runtime.ts";

export interface SessionHostDependencies {
  readonly log: EventLog;
  readonly siteDatabase: SiteDatabase;
  readonly roles: () => Roles;
  readonly elevations: Elevations;
  /** What opens a lock. */
  readonly secondFactor: SecondFactor;
  /** What was disclosed in the hour before the start. */
  readonly shownKeys: readonly ShownKey[];
  readonly review: ReviewFor;
  /** The space that is left for the record. */
  readonly storage: Pick<StorageLadder, "look" | "exhausted">;
  /** What is wrong with the record, in words. */
  readonly recordProblems: () => readonly string[];
  readonly budget: RecordBudget;
  readonly pace: SessionPace;
  readonly uiPool: UiPool;
  readonly openTranscript: OpenTranscript;
  readonly transcripts: TranscriptPort;
  readonly endpointName: string;
  readonly runtime: Runtime;
}

export interface RunningSessionHost extends SessionHost {
  /** Ends running sessions whose users may be here no longer, and tells the others what changed. */
  rolesChanged(): void;
  /** Takes no new sessions; resolves when the running ones are over, ended at the latest after `withinMs`. */
  drain(withinMs: number): Promise<void>;
}

/** What a session may take to end once its time is over. */
const endingMs = 2_000;

const text = new TextEncoder();
/** How late a user is told that a role's time began or ended; each new line asks anew anyway. */
const lookEveryMs = 10_000;

// Not at the top: string-width makes a regular expression of every emoji sequence when it is loaded, 80 ms before anybody can log in.
const loadExec = () => import("./exec.ts");
const loadInteractive = () => import("./interactive/serve-interactive.ts");

/** Loads what only sessions need, so that the first of them doesn't wait for it. For a server that listens already. */
export const loadSessions = async (): Promise<void> => {
  await loadExec();
  await loadInteractive();
};

/** Serves every session of every connection: the one place that knows them all. */
export const createSessionHost = (dependencies: SessionHostDependencies): RunningSessionHost => {
  const { log, roles } = dependencies;
  const { runtime } = dependencies;
  const ports = closePorts({ ...dependencies, now: runtime.now });
  const running = new Set<Promise<void>>();
  const disclosures = new DisclosureCounts(runtime.now, dependencies.shownKeys);
  const turns = new CommandTurns(() => roles().session.commandsPerUser);
  /** Identity → sessions. */
  const sessionsOf = new Map<string, number>();
  const live = createLiveSessions(dependencies.elevations, runtime.now);
  // A role's time may end in the middle of a session; nothing but the clock tells.
  const looking = setInterval(() => live.timePassed(), lookEveryMs);
  looking.unref();
  /** Interactive sessions are told to end at once; a running command may finish. */
  const closing = new AbortController();
  /** The time for finishing is over. */
  const shutdown = new AbortController();

  /** The user's map is made once and replaced whole when roles are, or when a role's time begins or ends. */
  const rightsOf =
    ({ connectedUser, clientAddress }: AuthenticatedConnection): (() => VisibleCommands) =>
    () =>
      roles().commandsFor(connectedUser, { clientAddress, at: runtime.now() });

  /** @throws EndpointError AuditUnavailable while there is too little space for another session's record */
  const refuseWithoutSpace = async (
    { connectionId, clientAddress, connectedUser }: AuthenticatedConnection,
    { kind }: SessionRequest,
  ): Promise<void> => {
    const state = dependencies.storage.look();
    if (state === "sufficient") return;
    const detail = "There is too little space left for the record, so no session starts. Tell your administrator.";
    const origin: Origin = { connectionId, clientAddress, connectedUser };
    await log
      .append({ type: "request-refused", ...origin, request: kind, reason: "storage", detail })
      .catch(() => undefined); // the disk is full: what is refused needs no record to be refused
    throw new EndpointError("AuditUnavailable", detail, { cause: new Error(`space ${state}`) });
  };

  /** @throws EndpointError AuditUnavailable while the record does not hold */
  const refuseOnDamagedRecord = async (
    { connectionId, clientAddress, connectedUser }: AuthenticatedConnection,
    { kind }: SessionRequest,
  ): Promise<void> => {
    const [problem] = dependencies.recordProblems();
    if (problem === undefined) return;
    const detail = "The record does not hold, so no session starts. Tell your administrator.";
    const origin: Origin = { connectionId, clientAddress, connectedUser };
    await log.append({ type: "request-refused", ...origin, request: kind, reason: "record damaged", detail });
    throw new EndpointError("AuditUnavailable", detail, { cause: new Error(problem) });
  };

  /** @throws EndpointError LimitsExceeded once this user put too much on the record */
  const refuseOverBudget = async (connection: AuthenticatedConnection, { kind }: SessionRequest): Promise<void> => {
    const usedUp = dependencies.budget.usedUp(connection);
    if (usedUp === undefined) return;
    const { connectionId, clientAddress, connectedUser } = connection;
    const origin: Origin = { connectionId, clientAddress, connectedUser };
    const refusal = { request: kind, reason: "record budget", detail: usedUp.message } as const;
    await log.append({ type: "request-refused", ...origin, ...refusal });
    throw usedUp;
  };

  const serveOne = async (
    connection: AuthenticatedConnection,
    request: SessionRequest,
    channel: SessionChannel,
    over: AbortSignal,
  ): Promise<void> => {
    const sessionId = `S-${randomBytes(8).toString("hex")}`;
    const origin: Origin = {
      connectionId: connection.connectionId,
      sessionId,
      clientAddress: connection.clientAddress,
      connectedUser: connection.connectedUser,
    };
    const refused = whyNotToBegin(connection);
    if (refused !== undefined) {
      await log.append({
        type: "request-refused",
        ...origin,
        request: request.kind,
        reason: "rights gone",
        detail: refused.reason,
      });
      throw new EndpointError("OperationStopped", refused.message);
    }
    const visibleCommands = rightsOf(connection);
    const { connectedUser, keyFingerprint, certificate } = connection;
    const party: Party = { connectedUser, keyFingerprint, certificate };
    const elevation = createElevationGate(
      dependencies.elevations,
      { ...party, origin },
      visibleCommands,
      ports.forEstimate,
    );
    const invoke = createInvoke({
      log,
      uptimeMs: runtime.uptimeMs,
      ports,
      elevation,
      disclosures,
      turns,
      visibleCommands,
      connectedUser,
      party,
      origin,
    });
    const line = request.kind === "exec" ? request.commandLine : undefined;
    const ties = live.join({ connection, visibleCommands, line });
    over.addEventListener("abort", () => ties.leave(), { once: true });
    const overBudget = dependencies.budget.signalFor(party, over);
    const revoked = AbortSignal.any([ties.revoked, dependencies.storage.exhausted, overBudget]);
    let exitStatus: number;
    let ended: Partial<ClosedTranscript> & { reason?: string } = {};
    if (request.kind === "exec") {
      await log.append({ type: "session-started", ...origin, mode: "exec" });
      const stop = AbortSignal.any([shutdown.signal, revoked]);
      const { serveExec } = await loadExec();
      exitStatus = await serveExec(invoke, request.commandLine, request.terminal, channel, stop);
      if (stop.reason instanceof EndpointError) ended = { reason: whyEnded(stop.reason) };
    } else {
      const { session } = roles();
      const { serveInteractive } = await loadInteractive();
      const result = await serveInteractive(
        {
          invoke,
          sessionId,
          visibleCommands: () => visibleCommands().descriptions,
          onCommandsChanged: (listener) => ties.onCommandsChanged(listener),
          onNotice: (listener) => ties.onNotice(listener),
          revoked,
          uiPool: dependencies.uiPool,
          openTranscript: (header) =>
            dependencies.openTranscript(header, (bytes) => dependencies.budget.take(party, bytes)),
          endpointName: dependencies.endpointName,
          welcome: `Welcome, ${connection.connectedUser}. This session is recorded. Get-Command lists what you can run.`,
          idleLockMs: session.idleLockMs,
          idleTimeoutMs: session.idleTimeoutMs,
          longestSessionMs: session.longestSessionMs,
          shutdown: closing.signal,
          noticeToAccept: session.requireAcceptance ? session.legalNotice : "",
          onNoticeAnswered: (answer) =>
            log.append({ type: "legal-notice", ...origin, answer, digest: noticeDigest(session.legalNotice) }),
          lock: createSessionLock({
            secondFactor: dependencies.secondFactor,
            party,
            record: (event) => log.append({ type: "session-lock", ...origin, ...event }),
          }),
          onStarted: (transcript, mode) => log.append({ type: "session-started", ...origin, mode, transcript }),
        },
        connection,
        request,
        channel,
      );
      exitStatus = result.exitStatus;
      ended = {
        ...result.transcript,
        ...(result.reason === undefined ? {} : { reason: result.reason }),
      };
    }
    const endedBecause = ties.endedBecause();
    if (endedBecause !== undefined) ended = { ...ended, reason: endedBecause };
    await log.append({ type: "session-ended", ...origin, exitStatus, ...ended });
    await channel.end(exitStatus);
  };

  /** A session too many is refused, on the record, and never begins. */
  const whileCounted = async (connection: AuthenticatedConnection, session: () => Promise<void>): Promise<void> => {
    const { connectionId, connectedUser, clientAddress } = connection;
    const identities = identitiesOf(connection);
    const others = Math.max(...identities.map((identity) => sessionsOf.get(identity) ?? 0));
    const most = roles().session.sessionsPerUser;
    if (others >= most) {
      const request = { request: "session", reason: "too many sessions", detail: `sessionsPerUser: ${most}` } as const;
      await log.append({ type: "request-refused", connectionId, connectedUser, clientAddress, ...request });
      throw new EndpointError(
        "LimitsExceeded",
        `You have ${others} sessions, and ${most} is the most a user has at a time (sessionsPerUser). End one first.`,
      );
    }
    for (const identity of identities) sessionsOf.set(identity, (sessionsOf.get(identity) ?? 0) + 1);
    try {
      await session();
    } finally {
      for (const identity of identities) {
        const left = (sessionsOf.get(identity) ?? 1) - 1;
        if (left === 0) sessionsOf.delete(identity);
        else sessionsOf.set(identity, left);
      }
    }
  };

  const serve = async (
    connection: AuthenticatedConnection,
    request: SessionRequest,
    channel: SessionChannel,
  ): Promise<void> => {
    const over = new AbortController();
    try {
      if (closing.signal.aborted) {
        await refuseWhileClosing(channel);
        return;
      }
      if (!(await dependencies.pace.turn(connection, AbortSignal.any([channel.closed, closing.signal])))) {
        if (closing.signal.aborted) await refuseWhileClosing(channel);
        return;
      }
      await refuseWithoutSpace(connection, request);
      await refuseOnDamagedRecord(connection, request);
      await refuseOverBudget(connection, request);
      await whileCounted(connection, () => serveOne(connection, request, channel, over.signal));
    } catch (error) {
      const failure =
        error instanceof EndpointError
          ? error
          : new EndpointError("InvalidResult", "The session failed.", { cause: error });
      const cause: unknown = failure.cause ?? failure;
      // A limit is the user's news, and on the record.
      if (failure.category !== "LimitsExceeded")
        runtime.report(`session of ${connection.connectedUser}: ${failure.category}: ${describeBriefly(cause)}`);
      await channel.writeError(text.encode(`${failure.category}: ${failure.message}\n`)).catch(() => undefined); // gone
      await channel.end(failure.exitStatus).catch(() => undefined); // gone
    } finally {
      over.abort("over"); // without a reason a DOMException is made, with its stack
    }
  };

  return {
    whyNone: (connection) => dependencies.budget.usedUp(connection)?.message,
    async serve(connection, request, channel) {
      const over = serve(connection, request, channel);
      running.add(over);
      await over;
      running.delete(over);
    },
    rolesChanged() {
      live.rightsChanged();
    },
    async drain(withinMs) {
      closing.abort("the endpoint is shutting down");
      const timer = setTimeout(() => shutdown.abort("the endpoint is shutting down"), withinMs);
      // A client that reads nothing keeps its session waiting; the connections are closed after this in any case.
      let late: NodeJS.Timeout | undefined;
      const enough = new Promise<void>((resolve) => {
        late = setTimeout(resolve, withinMs + endingMs);
      });
      await Promise.race([Promise.allSettled(running), enough]);
      clearInterval(looking);
      clearTimeout(timer);
      clearTimeout(late);
    },
  };
};

const refuseWhileClosing = async (channel: SessionChannel): Promise<void> => {
  await channel.writeError(text.encode("The endpoint is shutting down.\n"));
  await channel.end(7);
};

/** Name and code only: a driver's message may quote what must not reach standard error. */
const describeBriefly = (error: unknown): string => {
  if (!(error instanceof Error)) return "unknown";
  return "code" in error ? `${error.name} ${String(error.code)}` : error.name;
};
