import { randomBytes } from "node:crypto";
import type { OpenTranscript } from "../audit/contract.ts";
import type { EventLog, Origin } from "../audit/event.ts";
import type { Roles, VisibleCommands } from "../authorization/contract.ts";
import { EndpointError } from "../errors.ts";
import type { SiteDatabase } from "../site-database/port.ts";
import type { AuthenticatedConnection, SessionChannel, SessionHost, SessionRequest } from "./contract.ts";
import { serveExec } from "./exec.ts";
import { createInvoke } from "./invoke.ts";
import { serveInteractive } from "./interactive/serve-interactive.ts";
import type { UiPool } from "./interactive/ui-pool.ts";

export interface SessionHostDependencies {
  readonly log: EventLog;
  readonly siteDatabase: SiteDatabase;
  readonly roles: () => Roles;
  readonly uiPool: UiPool;
  readonly openTranscript: OpenTranscript;
  readonly endpointName: string;
  readonly now: () => Date;
  readonly uptimeMs: () => number;
  /** For the operator: a failure that no log could take. */
  readonly report: (problem: string) => void;
}

export interface RunningSessionHost extends SessionHost {
  /** Tells running sessions that rights may have changed. */
  rolesChanged(): void;
  /** Takes no new sessions; resolves when the running ones are over, ended at the latest after `withinMs`. */
  drain(withinMs: number): Promise<void>;
}

/** What a session may take to end once its time is over. */
const endingMs = 2_000;

const text = new TextEncoder();

/** Serves every session of every connection: the one place that knows them all. */
export const createSessionHost = (dependencies: SessionHostDependencies): RunningSessionHost => {
  const { log, roles } = dependencies;
  const running = new Set<Promise<void>>();
  const listeners = new Set<() => void>();
  /** Interactive sessions are told to end at once; a running command may finish. */
  const closing = new AbortController();
  /** The time for finishing is over. */
  const shutdown = new AbortController();

  const serveOne = async (
    connection: AuthenticatedConnection,
    request: SessionRequest,
    channel: SessionChannel,
  ): Promise<void> => {
    const sessionId = `S-${randomBytes(8).toString("hex")}`;
    const origin: Origin = {
      connectionId: connection.connectionId,
      sessionId,
      clientAddress: connection.clientAddress,
      connectedUser: connection.connectedUser,
    };
    // The user's map is made once and replaced whole when roles are (design §4).
    let madeFrom = roles();
    let visible: VisibleCommands = madeFrom.commandsFor(connection.connectedUser);
    const visibleCommands = (): VisibleCommands => {
      if (madeFrom !== roles()) {
        madeFrom = roles();
        visible = madeFrom.commandsFor(connection.connectedUser);
      }
      return visible;
    };
    const invoke = createInvoke({ ...dependencies, visibleCommands, connectedUser: connection.connectedUser, origin });
    let exitStatus: number;
    let ended: { transcriptDigest?: string; reason?: string } = {};
    if (request.kind === "exec") {
      await log.append({ type: "session-started", ...origin, mode: "exec" });
      exitStatus = await serveExec(invoke, request.commandLine, request.terminal, channel, shutdown.signal);
    } else {
      const { session } = roles();
      const result = await serveInteractive(
        {
          invoke,
          sessionId,
          visibleCommands: () => visibleCommands().descriptions,
          onCommandsChanged: (listener) => {
            listeners.add(listener);
            return () => listeners.delete(listener);
          },
          uiPool: dependencies.uiPool,
          openTranscript: dependencies.openTranscript,
          endpointName: dependencies.endpointName,
          welcome: `Welcome, ${connection.connectedUser}. This session is recorded. Get-Command lists what you can run.`,
          idleTimeoutMs: session.idleTimeoutMs,
          longestSessionMs: session.longestSessionMs,
          shutdown: closing.signal,
          onStarted: (transcript, mode) => log.append({ type: "session-started", ...origin, mode, transcript }),
        },
        connection,
        request,
        channel,
      );
      exitStatus = result.exitStatus;
      ended = {
        ...(result.transcriptDigest === undefined ? {} : { transcriptDigest: result.transcriptDigest }),
        ...(result.reason === undefined ? {} : { reason: result.reason }),
      };
    }
    await log.append({ type: "session-ended", ...origin, exitStatus, ...ended });
    await channel.end(exitStatus);
  };

  const serve = async (
    connection: AuthenticatedConnection,
    request: SessionRequest,
    channel: SessionChannel,
  ): Promise<void> => {
    try {
      if (closing.signal.aborted) {
        await channel.writeError(text.encode("The endpoint is shutting down.\n"));
        await channel.end(7);
        return;
      }
      await serveOne(connection, request, channel);
    } catch (error) {
      const failure =
        error instanceof EndpointError
          ? error
          : new EndpointError("InvalidResult", "The session failed.", { cause: error });
      const cause: unknown = failure.cause ?? failure;
      dependencies.report(`session of ${connection.connectedUser}: ${failure.category}: ${describeBriefly(cause)}`);
      await channel.writeError(text.encode(`${failure.category}: ${failure.message}\n`)).catch(() => undefined); // gone
      await channel.end(failure.exitStatus).catch(() => undefined); // gone
    }
  };

  return {
    async serve(connection, request, channel) {
      const over = serve(connection, request, channel);
      running.add(over);
      await over;
      running.delete(over);
    },
    rolesChanged() {
      for (const listener of listeners) listener();
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
      clearTimeout(timer);
      clearTimeout(late);
    },
  };
};

/** Name and code only: a driver's message may quote what must not reach standard error. */
const describeBriefly = (error: unknown): string => {
  if (!(error instanceof Error)) return "unknown";
  return "code" in error ? `${error.name} ${String(error.code)}` : error.name;
};
