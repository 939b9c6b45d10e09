import type { VisibleCommands } from "../authorization/contract.ts";
import type { Elevation } from "../authorization/elevation-port.ts";
import type { Elevations } from "../authorization/elevation.ts";
import { Refusal } from "../errors.ts";
import type { AuthenticatedConnection } from "./contract.ts";

/** A running session, as a change of rights or a request for approval concerns it. */
interface Live {
  readonly connection: AuthenticatedConnection;
  readonly visibleCommands: () => VisibleCommands;
  /** What an exec session runs. */
  readonly line: string | undefined;
  readonly revoke: AbortController;
  /** What was last looked at. */
  last: VisibleCommands;
  readonly hadKey: boolean;
  notify: (text: string) => void;
  commandsChanged: () => void;
}

/** One session's end of it. */
interface SessionTies {
  /** Aborts when the user may be here no longer; its reason is a sentence for them. */
  readonly revoked: AbortSignal;
  onCommandsChanged(listener: () => void): () => void;
  onNotice(listener: (text: string) => void): () => void;
  /** The session is over. */
  leave(): void;
}

export interface LiveSessions {
  join(session: Pick<Live, "connection" | "visibleCommands"> & { readonly line: string | undefined }): SessionTies;
  /** Roles or keys were read again: ends sessions whose users may be here no longer, and tells the others what changed. */
  rightsChanged(): void;
}

const mayRun = (visible: VisibleCommands, line: string): boolean => {
  try {
    visible.bindLine(line);
    return true;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
};

const rows = (ceiling: number | undefined): string =>
  ceiling === undefined ? "" : ` (${ceiling} ${ceiling === 1 ? "row" : "rows"})`;

const newsForApprover = ({ requestId, requester, invocation, ceiling }: Elevation): string =>
  `${requester} asks for approval, ${requestId}: ${invocation}${rows(ceiling)}. Get-Elevation shows it.`;

const newsForRequester = ({ requestId, state, decidedBy, comment, expiresAt }: Elevation): string | undefined => {
  if (state === "approved") {
    return `${decidedBy ?? "Another person"} approved ${requestId} (${comment ?? "no comment"}): use it until ${expiresAt.toISOString()}.`;
  }
  return state === "denied"
    ? `${decidedBy ?? "Another person"} denied ${requestId}: ${comment ?? "no comment"}.`
    : undefined;
};

/** Every running session: what concerns several of them at once. */
export const createLiveSessions = (
  elevations: Elevations,
  /** Why this user may be here no longer, in a sentence for them. */
  whyToLeave: (connection: AuthenticatedConnection, hadKey: boolean) => string | undefined,
  /** Whether the key that logged in is listed; one that a certificate vouches for is not. */
  hasKey: (connection: AuthenticatedConnection) => boolean,
): LiveSessions => {
  const live = new Set<Live>();

  elevations.onChange((elevation, requesterKey) => {
    for (const { connection, visibleCommands, notify } of live) {
      if (connection.connectedUser === elevation.requester) {
        const news = newsForRequester(elevation);
        if (news !== undefined) notify(news);
      } else if (elevation.state === "pending" && connection.keyFingerprint !== requesterKey) {
        // Who could not decide it, or not see it, is not told of it.
        if (visibleCommands().descriptions.some(({ name }) => name === "Approve-Elevation")) {
          notify(newsForApprover(elevation));
        }
      }
    }
  });

  const announce = (session: Live): void => {
    const why = whyToLeave(session.connection, session.hadKey);
    if (why !== undefined) {
      session.revoke.abort(why);
      return;
    }
    const visible = session.visibleCommands();
    const before = session.last;
    if (visible === before) return;
    session.last = visible;
    if (JSON.stringify(visible.descriptions) === JSON.stringify(before.descriptions)) return;
    session.commandsChanged();
    session.notify("What you may run was changed. Get-Command lists what you have now.");
    if (session.line !== undefined && mayRun(before, session.line) && !mayRun(visible, session.line)) {
      session.revoke.abort("You may not run this any longer, so it was stopped.");
    }
  };

  return {
    join({ connection, visibleCommands, line }) {
      const revoke = new AbortController();
      const session: Live = {
        connection,
        visibleCommands,
        line,
        revoke,
        last: visibleCommands(),
        hadKey: hasKey(connection),
        notify: () => undefined,
        commandsChanged: () => undefined,
      };
      live.add(session);
      return {
        revoked: revoke.signal,
        onCommandsChanged: (listener) => {
          session.commandsChanged = listener;
          return () => (session.commandsChanged = () => undefined);
        },
        onNotice: (listener) => {
          session.notify = listener;
          return () => (session.notify = () => undefined);
        },
        leave: () => live.delete(session),
      };
    },
    rightsChanged() {
      for (const session of live) announce(session);
    },
  };
};
