import type { ReviewFor } from "../audit-review/review.ts";
import type { SiteDatabase } from "../command/site-database.ts";
import type { TranscriptPort } from "../command/transcript-port.ts";
import { EndpointError } from "../errors.ts";
import { CommandTurns } from "./command-turns.ts";
import type { SessionChannel, SessionHost, SessionRequest } from "./contract.ts";
import type { AuthenticatedConnection } from "../identity/log-in.ts";
import { orLate } from "../or-late.ts";
import { DisclosureCounts } from "./disclosure-counts.ts";
import type { ShownKey } from "./disclosure-counts.ts";
import { LiveSessions } from "./live-sessions.ts";
import { closePorts } from "./open-ports.ts";
import { SearchCounts } from "./search-counts.ts";
import type { DoneSearch } from "./search-counts.ts";
import { SessionRunner, type SessionDependencies } from "./run-session.ts";
import { SessionEntry, type EntryDependencies } from "./session-entry.ts";
import type { SessionPace } from "./session-pace.ts";

export { loadSessions } from "./run-session.ts";

export interface SessionHostDependencies extends SessionDependencies, EntryDependencies {
  readonly siteDatabase: SiteDatabase;
  readonly transcripts: TranscriptPort;
  readonly review: ReviewFor;
  /** What was disclosed in the hour before the start. */
  readonly shownKeys: readonly ShownKey[];
  /** Who searched in that hour. */
  readonly searches: readonly DoneSearch[];
  readonly pace: SessionPace;
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

/** Serves every session of every connection: the one place that knows them all. */
export const createSessionHost = (dependencies: SessionHostDependencies): RunningSessionHost => {
  const { budget, elevations, pace, roles, runtime, searches, shownKeys } = dependencies;
  const running = new Set<Promise<void>>();
  const live = new LiveSessions(elevations, runtime.now);
  // A role's time may end in the middle of a session; nothing but the clock tells.
  const looking = setInterval(() => live.timePassed(), lookEveryMs);
  looking.unref();
  const closing = new AbortController();
  const shutdown = new AbortController();
  const entry = new SessionEntry(dependencies, () => roles().session.sessionsPerUser);
  const runner = new SessionRunner(dependencies, {
    ports: closePorts({ ...dependencies, now: runtime.now }),
    disclosures: new DisclosureCounts(runtime.now, shownKeys),
    searches: new SearchCounts(runtime.now, searches),
    turns: new CommandTurns(() => roles().session.commandsPerUser),
    live,
    closing: closing.signal,
    shutdown: shutdown.signal,
  });

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
      if (!(await pace.turn(connection, AbortSignal.any([channel.closed, closing.signal])))) {
        if (closing.signal.aborted) await refuseWhileClosing(channel);
        return;
      }
      await entry.judge(connection, request);
      await entry.whileCounted(connection, () => runner.run(connection, request, channel, over.signal));
    } catch (error) {
      await endFailed(error, connection, channel, runtime.report);
    } finally {
      over.abort("over"); // without a reason a DOMException is made, with its stack
    }
  };

  return {
    whyNone: (connection) => budget.usedUp(connection)?.message,
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
      await orLate(Promise.allSettled(running), withinMs + endingMs);
      clearInterval(looking);
      clearTimeout(timer);
    },
  };
};

/** Ends a session that failed, or was refused: the user hears of it, and the operator. */
const endFailed = async (
  thrown: unknown,
  { connectedUser }: AuthenticatedConnection,
  channel: SessionChannel,
  report: (problem: string) => void,
): Promise<void> => {
  const failure =
    thrown instanceof EndpointError
      ? thrown
      : new EndpointError("InvalidResult", "The session failed.", { cause: thrown });
  const cause: unknown = failure.cause ?? failure;
  // A limit is the user's news, and on the record.
  if (failure.category !== "LimitsExceeded")
    report(`session of ${connectedUser}: ${failure.category}: ${describeBriefly(cause)}`);
  await channel.writeError(text.encode(`${failure.category}: ${failure.message}\n`)).catch(() => undefined); // gone
  await channel.end(failure.exitStatus).catch(() => undefined); // gone
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
