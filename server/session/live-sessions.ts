import type { VisibleCommands } from "../authorization/contract.ts";
import type { Elevation } from "../command/elevation-port.ts";
import type { Elevations } from "../authorization/elevation.ts";
import { sameParty, type RecordedParty } from "../identity/party.ts";
import type { AuthenticatedConnection } from "../identity/log-in.ts";
import { startExpiryTimer } from "./expiry-timer.ts";
import { whyToLeave } from "./rights-gone.ts";
import { plural } from "../model/plural.ts";

/** A running session, as a change of rights or a request for approval concerns it. */
interface Live {
  readonly connection: AuthenticatedConnection;
  readonly visibleCommands: () => VisibleCommands;
  /** What an exec session runs. */
  readonly line: string | undefined;
  readonly revoke: AbortController;
  /** Why it was ended from here, for the record. */
  endedBecause: string | undefined;
  /** What was last looked at. */
  last: VisibleCommands;
  notify: (text: string) => void;
  commandsChanged: () => void;
}

/** One session's end of it. */
export interface SessionTies {
  /** Aborts when the user may be here no longer; its reason is a sentence for them. */
  readonly revoked: AbortSignal;
  /** For the record, once `revoked` aborted. */
  endedBecause(): string | undefined;
  onCommandsChanged(listener: () => void): () => void;
  onNotice(listener: (text: string) => void): () => void;
  /** The session is over. */
  leave(): void;
}

const mayRun = ({ bindIfAllowed }: VisibleCommands, line: string): boolean => bindIfAllowed(line) !== undefined;

const rows = (ceiling: number | undefined): string => (ceiling === undefined ? "" : ` (${plural(ceiling, "row")})`);

const newsForApprover = ({ requestId, requester, invocation, ceiling, finding }: Elevation): string =>
  `${requester} asks for approval, ${requestId}: ${invocation}${rows(ceiling)}.${finding === undefined ? "" : ` ${finding}`} Get-Elevation shows it.`;

const newsForRequester = ({ requestId, state, decidedBy, comment, expiresAt }: Elevation): string | undefined => {
  if (state === "approved") {
    return `${decidedBy ?? "Another person"} approved ${requestId} (${comment ?? "no comment"}): use it until ${expiresAt.toISOString()}.`;
  }
  return state === "denied"
    ? `${decidedBy ?? "Another person"} denied ${requestId}: ${comment ?? "no comment"}.`
    : undefined;
};

const expiresSoon = "The key or certificate you are logged in with expires in a minute; this session ends then.";

/** Every running session: what concerns several of them at once. */
export class LiveSessions {
  readonly #live = new Set<Live>();
  readonly #now: () => Date;

  constructor(elevations: Elevations, now: () => Date) {
    this.#now = now;
    elevations.onChange((elevation, requester) => this.#tellOf(elevation, requester));
  }

  join({ connection, visibleCommands, line }: Pick<Live, "connection" | "visibleCommands" | "line">): SessionTies {
    const session: Live = {
      connection,
      visibleCommands,
      line,
      revoke: new AbortController(),
      endedBecause: undefined,
      last: visibleCommands(),
      notify: () => undefined,
      commandsChanged: () => undefined,
    };
    this.#live.add(session);
    const stopTimer = this.#awaitExpiry(session);
    return {
      revoked: session.revoke.signal,
      endedBecause: () => session.endedBecause,
      onCommandsChanged: (listener) => {
        session.commandsChanged = listener;
        return () => (session.commandsChanged = () => undefined);
      },
      onNotice: (listener) => {
        session.notify = listener;
        return () => (session.notify = () => undefined);
      },
      leave: () => {
        stopTimer();
        this.#live.delete(session);
      },
    };
  }

  /** Roles or keys were read again: ends sessions whose users may be here no longer, and tells the others what changed. */
  rightsChanged(): void {
    for (const session of this.#live) if (this.#mayStay(session)) this.#announce(session);
  }

  /** Time went by: the same, without judging every key again, which costs a signature's check for each certificate. */
  timePassed(): void {
    for (const session of this.#live) {
      const { expiresAt } = session.connection;
      const isDue = expiresAt !== undefined && this.#now().getTime() >= expiresAt;
      if (!isDue || this.#mayStay(session)) this.#announce(session);
    }
  }

  #awaitExpiry(session: Live): () => void {
    const { expiresAt } = session.connection;
    if (expiresAt === undefined) return () => undefined;
    return startExpiryTimer(expiresAt, this.#now, {
      soon: () => session.notify(expiresSoon),
      over: () => void this.#mayStay(session),
    });
  }

  #mayStay(session: Live): boolean {
    const why = whyToLeave(session.connection);
    if (why !== undefined) end(session, why.reason, why.message);
    return why === undefined;
  }

  #announce(session: Live): void {
    const visible = session.visibleCommands();
    const before = session.last;
    if (visible === before) return;
    session.last = visible;
    if (JSON.stringify(visible.descriptions) === JSON.stringify(before.descriptions)) return;
    session.commandsChanged();
    session.notify("What you may run was changed. Get-Command lists what you have now.");
    if (session.line !== undefined && mayRun(before, session.line) && !mayRun(visible, session.line)) {
      end(session, "rights gone: the command", "You may not run this any longer, so it was stopped.");
    }
  }

  #tellOf(elevation: Elevation, requester: RecordedParty): void {
    for (const { connection, visibleCommands, notify } of this.#live) {
      if (connection.connectedUser === elevation.requester) {
        const news = newsForRequester(elevation);
        if (news !== undefined) notify(news);
      } else if (elevation.state === "pending" && elevation.isCounted && !sameParty(connection, requester)) {
        // Who could not decide it, or not see it, is not told of it.
        if (visibleCommands().descriptions.some(({ name }) => name === "Approve-Elevation")) {
          notify(newsForApprover(elevation));
        }
      }
    }
  }
}

const end = (session: Live, reason: string, message: string): void => {
  if (session.revoke.signal.aborted) return;
  session.endedBecause = reason;
  session.revoke.abort(message);
};
