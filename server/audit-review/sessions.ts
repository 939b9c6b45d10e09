import { textOf, type ReadEvent, type ReadLine } from "./decode-line.ts";

export interface SessionFilter {
  readonly user?: string;
  /** Sessions that were under way at or after, or before, this time. */
  readonly sinceMs?: number;
  readonly untilMs?: number;
  readonly command?: string;
  /** A key id or the beginning of one. */
  readonly keyId?: string;
  readonly computer?: string;
}

export interface SessionSummary {
  readonly sessionId: string;
  readonly connectedUser: string;
  readonly clientAddress: string;
  readonly mode: string;
  readonly startedAt: string;
  readonly endedAt: string | undefined;
  readonly exitStatus: number | undefined;
  readonly reason: string;
  readonly commands: number;
  readonly refusals: number;
  readonly keys: number;
}

interface Collected {
  summary: SessionSummary;
  ranCommand: boolean;
  showedKey: boolean;
  showedComputer: boolean;
}

export const same = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

export const disclosedIn = (event: ReadEvent): { keyId: string; computerName: string }[] => {
  const keys = event["keys"];
  if (!Array.isArray(keys)) return [];
  return keys.map((key: unknown) => {
    const { keyId, computerName } = Object(key) as { keyId?: unknown; computerName?: unknown }; // of a log that may be damaged
    return { keyId: String(keyId), computerName: String(computerName) };
  });
};

const follow = (session: Collected, { event, at }: ReadLine, filter: SessionFilter): void => {
  const { summary } = session;
  switch (event.type) {
    case "command-started":
      session.summary = { ...summary, commands: summary.commands + 1 };
      if (filter.command !== undefined && same(textOf(event, "command"), filter.command)) session.ranCommand = true;
      break;
    case "command-refused":
      session.summary = { ...summary, refusals: summary.refusals + 1 };
      break;
    case "disclosure": {
      const keys = disclosedIn(event);
      session.summary = { ...summary, keys: summary.keys + keys.length };
      const prefix = filter.keyId?.toLowerCase();
      session.showedKey ||= prefix !== undefined && keys.some(({ keyId }) => keyId.toLowerCase().startsWith(prefix));
      session.showedComputer ||= keys.some(({ computerName }) => same(computerName, filter.computer ?? ""));
      break;
    }
    case "session-ended":
      session.summary = {
        ...summary,
        endedAt: at,
        exitStatus: typeof event["exitStatus"] === "number" ? event["exitStatus"] : undefined,
        reason: textOf(event, "reason"),
      };
  }
};

const matches = ({ summary, ...session }: Collected, filter: SessionFilter): boolean => {
  if (filter.user !== undefined && !same(summary.connectedUser, filter.user)) return false;
  if (filter.untilMs !== undefined && Date.parse(summary.startedAt) >= filter.untilMs) return false;
  const { endedAt } = summary;
  if (filter.sinceMs !== undefined && endedAt !== undefined && Date.parse(endedAt) < filter.sinceMs) return false;
  if (filter.command !== undefined && !session.ranCommand) return false;
  if (filter.keyId !== undefined && !session.showedKey) return false;
  return filter.computer === undefined || session.showedComputer;
};

/** The sessions of a log that match, in the order in which they were started. */
export const listSessions = (lines: Iterable<ReadLine>, filter: SessionFilter): SessionSummary[] => {
  const sessions = new Map<string, Collected>();
  for (const line of lines) {
    const { event, at } = line;
    const sessionId = textOf(event, "sessionId");
    if (event.type === "session-started") {
      const summary = {
        sessionId,
        connectedUser: textOf(event, "connectedUser"),
        clientAddress: textOf(event, "clientAddress"),
        mode: textOf(event, "mode"),
        startedAt: at,
        endedAt: undefined,
        exitStatus: undefined,
        reason: "",
        commands: 0,
        refusals: 0,
        keys: 0,
      };
      sessions.set(sessionId, { summary, ranCommand: false, showedKey: false, showedComputer: false });
    }
    const session = sessions.get(sessionId);
    if (session !== undefined) follow(session, line, filter);
  }
  return [...sessions.values()].filter((session) => matches(session, filter)).map(({ summary }) => summary);
};
