import type { ReportSession } from "./report-session.ts";

export const fields = ["user", "from", "to", "command", "key", "computer", "outcome"] as const;

export type Field = (typeof fields)[number];

/** What the form holds; an empty text asks for nothing. */
export type Criteria = Readonly<Record<Field, string>>;

const dayMs = 86_400_000;

const includes = (text: string, part: string): boolean => text.toLowerCase().includes(part);

const hasOutcome = (session: ReportSession, outcome: string): boolean => {
  switch (outcome) {
    case "succeeded":
      return session.exitStatus === 0;
    case "failed":
      return session.exitStatus !== undefined && session.exitStatus !== 0;
    case "refusals":
      return session.refusals > 0;
    case "disclosed":
      return session.keyIds.length > 0;
    case "aborted":
      return session.ending === "Aborted";
    case "open":
      return session.ending === "Running";
    default:
      return true;
  }
};

/** The sessions that fit, those under way at some time of the days asked for, as `pep audit list` has it. */
export const fitting = (sessions: readonly ReportSession[], criteria: Criteria): ReportSession[] => {
  const user = criteria.user.trim().toLowerCase();
  const key = criteria.key.trim().toLowerCase();
  const computer = criteria.computer.trim().toLowerCase();
  const fromMs = Date.parse(`${criteria.from}T00:00:00Z`);
  const toMs = Date.parse(`${criteria.to}T00:00:00Z`) + dayMs;
  return sessions.filter((session) => {
    if (user !== "" && !includes(session.user, user)) return false;
    // A date that is not there, or half typed, is NaN: no comparison with it is true.
    if ((session.endedAtMs ?? Number.POSITIVE_INFINITY) < fromMs || session.startedAtMs >= toMs) return false;
    if (criteria.command !== "" && !session.commands.includes(criteria.command)) return false;
    if (!hasOutcome(session, criteria.outcome)) return false;
    if (key !== "" && !session.keyIds.some((keyId) => keyId.toLowerCase().startsWith(key))) return false;
    return computer === "" || session.computers.some((name) => includes(name, computer));
  });
};
