import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { ClosedTranscript, OpenTranscript } from "../audit/contract.ts";
import type { EventLog, Origin } from "../audit/event.ts";
import type { RecordBudget } from "../audit/record-budget.ts";
import type { StorageLadder } from "../audit/storage-ladder.ts";
import type { Roles, VisibleCommands } from "../authorization/contract.ts";
import { createElevationGate } from "../authorization/elevation-gate.ts";
import type { Elevations } from "../authorization/elevation.ts";
import { EndpointError } from "../errors.ts";
import type { SecondFactor, AuthenticatedConnection } from "../identity/log-in.ts";
import type { Party } from "../identity/party.ts";
import type { Runtime } from "../runtime.ts";
import type { CommandTurns } from "./command-turns.ts";
import {
  noticeDigest,
  type ExecRequest,
  type SessionChannel,
  type SessionRequest,
  type ShellRequest,
} from "./contract.ts";
import type { Invoke, SentCollection } from "./delivery.ts";
import type { DisclosureCounts } from "./disclosure-counts.ts";
import type { InteractiveDependencies } from "./interactive/serve-interactive.ts";
import type { UiPool } from "./interactive/ui-pool.ts";
import { createInvoke } from "./invoke.ts";
import type { LiveSessions, SessionTies } from "./live-sessions.ts";
import type { SearchCounts } from "./search-counts.ts";
import type { ClosedPorts } from "./open-ports.ts";
import { createSessionLock } from "./session-lock.ts";
import { whyEnded, whyNotToBegin } from "./rights-gone.ts";

export interface SessionDependencies {
  readonly log: EventLog;
  readonly roles: () => Roles;
  readonly elevations: Elevations;
  /** What opens a lock. */
  readonly secondFactor: SecondFactor;
  /** The space that is left for the record. */
  readonly storage: Pick<StorageLadder, "look" | "exhausted">;
  readonly budget: RecordBudget;
  readonly uiPool: UiPool;
  readonly openTranscript: OpenTranscript;
  readonly endpointName: string;
  /** What people who may export every key are told at log-in. */
  readonly collectionNotice: (visible: VisibleCommands) => Promise<string | undefined>;
  readonly runtime: Runtime;
}

/** What all sessions have in common. */
export interface SharedBySessions {
  readonly ports: ClosedPorts;
  readonly disclosures: DisclosureCounts;
  readonly searches: SearchCounts;
  readonly turns: CommandTurns;
  readonly live: LiveSessions;
  /** Interactive sessions are told to end at once; a running command may finish. */
  readonly closing: AbortSignal;
  /** The time for finishing is over. */
  readonly shutdown: AbortSignal;
}

/** One session that may begin. */
interface Session {
  readonly connection: AuthenticatedConnection;
  readonly sessionId: string;
  readonly origin: Origin;
  readonly party: Party;
  readonly visibleCommands: () => VisibleCommands;
  /** Its only way to a command. */
  readonly invoke: Invoke;
  readonly ties: SessionTies;
  /** Aborts when it must end, whatever it does. */
  readonly revoked: AbortSignal;
}

/** How a session ended. */
interface Ended {
  readonly exitStatus: number;
  readonly transcript?: ClosedTranscript | undefined;
  readonly reason?: string | undefined;
  readonly collected?: SentCollection | undefined;
}

// Not at the top: string-width makes a regular expression of every emoji sequence when it is loaded, 80 ms before anybody can log in.
const loadExec = () => import("./exec.ts");
const loadInteractive = () => import("./interactive/serve-interactive.ts");

/** Loads what only sessions need, so that the first of them doesn't wait for it. For a server that listens already. */
export const loadSessions = async (): Promise<void> => {
  await loadExec();
  await loadInteractive();
};

/** How long a client may take to close its side; one that reads a slow disk needs some time for its last window. */
const closesWithinMs = 10_000;

const isClosedInOrder = async (channel: SessionChannel): Promise<boolean> => {
  const waited = AbortSignal.timeout(closesWithinMs);
  const over = AbortSignal.any([channel.closed, waited]);
  if (!over.aborted) await once(over, "abort");
  return channel.closedInOrder;
};

/** Runs single sessions, from the look at their users' rights to their end on the record. */
export class SessionRunner {
  readonly #dependencies: SessionDependencies;
  readonly #shared: SharedBySessions;

  constructor(dependencies: SessionDependencies, shared: SharedBySessions) {
    this.#dependencies = dependencies;
    this.#shared = shared;
  }

  /**
   * @param over aborted by the caller when the session is over, however it ended
   * @throws EndpointError OperationStopped when its user's log-in would be refused now; AuditUnavailable
   */
  async run(
    connection: AuthenticatedConnection,
    request: SessionRequest,
    channel: SessionChannel,
    over: AbortSignal,
  ): Promise<void> {
    const session = await this.#begin(connection, request, over);
    const ended =
      request.kind === "exec"
        ? await this.#serveLine(session, request, channel)
        : await this.#serveShell(session, request, channel);
    const { exitStatus, transcript, collected } = ended;
    const reason = session.ties.endedBecause() ?? ended.reason;
    await this.#dependencies.log.append({
      type: "session-ended",
      ...session.origin,
      exitStatus,
      ...transcript,
      ...(reason === undefined ? {} : { reason }),
    });
    await channel.end(exitStatus);
    if (collected === undefined || exitStatus !== 0) return;
    // Bytes that were written may lie in a buffer of a client that is gone. One that closes in order has taken what came before.
    if (!(await isClosedInOrder(channel))) return;
    await this.#dependencies.log.append({ type: "site-collected", ...session.origin, ...collected });
  }

  async #begin(connection: AuthenticatedConnection, request: SessionRequest, over: AbortSignal): Promise<Session> {
    const { budget, storage } = this.#dependencies;
    const sessionId = `S-${randomBytes(8).toString("hex")}`;
    const { connectionId, clientAddress, connectedUser, keyFingerprint, certificate } = connection;
    const origin: Origin = { connectionId, sessionId, clientAddress, connectedUser };
    await this.#refuseWithoutRights(connection, request, origin);
    const visibleCommands = this.#rightsOf(connection);
    const party: Party = { connectedUser, keyFingerprint, certificate };
    const invoke = this.#openInvoke(party, origin, visibleCommands);
    const line = request.kind === "exec" ? request.commandLine : undefined;
    const ties = this.#shared.live.join({ connection, visibleCommands, line });
    over.addEventListener("abort", () => ties.leave(), { once: true });
    const overBudget = budget.signalFor(party, over);
    const revoked = AbortSignal.any([ties.revoked, storage.exhausted, overBudget]);
    return { connection, sessionId, origin, party, visibleCommands, invoke, ties, revoked };
  }

  async #refuseWithoutRights(
    connection: AuthenticatedConnection,
    { kind }: SessionRequest,
    origin: Origin,
  ): Promise<void> {
    const refused = whyNotToBegin(connection);
    if (refused === undefined) return;
    const detail = refused.reason;
    await this.#dependencies.log.append({
      type: "request-refused",
      ...origin,
      request: kind,
      reason: "rights gone",
      detail,
    });
    throw new EndpointError("OperationStopped", refused.message);
  }

  /** The user's map is made once and replaced whole when roles are, or when a role's time begins or ends. */
  #rightsOf({ connectedUser, clientAddress }: AuthenticatedConnection): () => VisibleCommands {
    const { roles, runtime } = this.#dependencies;
    return () => roles().commandsFor(connectedUser, { clientAddress, at: runtime.now() });
  }

  #openInvoke(party: Party, origin: Origin, visibleCommands: () => VisibleCommands): Invoke {
    const { log, runtime, elevations } = this.#dependencies;
    const { ports, disclosures, searches, turns } = this.#shared;
    const elevation = createElevationGate(elevations, { ...party, origin }, visibleCommands, ports.forEstimate);
    const { connectedUser } = party;
    const counts = { disclosures, searches, turns };
    const whose = { visibleCommands, connectedUser, party, origin };
    return createInvoke({ log, uptimeMs: runtime.uptimeMs, ports, elevation, ...counts, ...whose });
  }

  async #serveLine(
    { invoke, origin, revoked }: Session,
    { commandLine, terminal }: ExecRequest,
    channel: SessionChannel,
  ): Promise<Ended> {
    await this.#dependencies.log.append({ type: "session-started", ...origin, mode: "exec" });
    const stop = AbortSignal.any([this.#shared.shutdown, revoked]);
    const { serveExec } = await loadExec();
    const ended = await serveExec(invoke, { commandLine, terminal }, channel, stop);
    return { ...ended, reason: stop.reason instanceof EndpointError ? whyEnded(stop.reason) : undefined };
  }

  async #serveShell(session: Session, request: ShellRequest, channel: SessionChannel): Promise<Ended> {
    const rules = this.#dependencies.roles().session;
    const { serveInteractive } = await loadInteractive();
    const notice = await this.#dependencies.collectionNotice(session.visibleCommands());
    const welcome = `Welcome, ${session.party.connectedUser}. This session is recorded. Get-Command lists what you can run.`;
    const dependencies = {
      ...this.#interactive(session, rules),
      welcome: notice === undefined ? welcome : `${welcome}\n${notice}`,
    };
    return serveInteractive(dependencies, session.connection, request, channel);
  }

  #interactive(session: Session, rules: Roles["session"]): Omit<InteractiveDependencies, "welcome"> {
    const { log, budget, secondFactor, uiPool, openTranscript, endpointName } = this.#dependencies;
    const { invoke, sessionId, origin, party, ties, revoked, visibleCommands } = session;
    return {
      invoke,
      sessionId,
      visibleCommands: () => visibleCommands().descriptions,
      onCommandsChanged: (listener) => ties.onCommandsChanged(listener),
      onNotice: (listener) => ties.onNotice(listener),
      revoked,
      uiPool,
      openTranscript: (header) => openTranscript(header, (bytes) => budget.take(party, bytes)),
      endpointName,
      idleLockMs: rules.idleLockMs,
      idleTimeoutMs: rules.idleTimeoutMs,
      longestSessionMs: rules.longestSessionMs,
      shutdown: this.#shared.closing,
      noticeToAccept: rules.requireAcceptance ? rules.legalNotice : "",
      onNoticeAnswered: (answer) =>
        log.append({ type: "legal-notice", ...origin, answer, digest: noticeDigest(rules.legalNotice) }),
      lock: createSessionLock({
        secondFactor,
        party,
        record: (event) => log.append({ type: "session-lock", ...origin, ...event }),
      }),
      onStarted: (transcript, mode) => log.append({ type: "session-started", ...origin, mode, transcript }),
    };
  }
}
