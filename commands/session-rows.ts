import type { ReviewedSession } from "../server/command/review-port.ts";
import type { ColumnOf, FoundRows } from "../server/command/rows-command.ts";
import { dayLine } from "./sparkline.ts";
import { plural } from "../server/model/plural.ts";

/** Counts what goes by: days and users, never sessions. */
const createTotals = () => {
  const users = new Set<string>();
  const sessionsByDay = new Map<string, number>();
  const keysByDay = new Map<string, number>();
  let sessions = 0;
  let keys = 0;
  let refusals = 0;
  const add = (to: Map<string, number>, day: string, count: number): void =>
    void to.set(day, (to.get(day) ?? 0) + count);
  return {
    take: (session: ReviewedSession): void => {
      sessions += 1;
      keys += session.keys;
      refusals += session.refusals;
      users.add(session.connectedUser);
      add(sessionsByDay, session.startedAt.slice(0, 10), 1);
      for (const [day, count] of session.keysByDay) add(keysByDay, day, count);
    },
    inWords: (): string =>
      sessions === 0
        ? "No session matches."
        : [
            `${plural(sessions, "session")} of ${plural(users.size, "user")}, ${plural(keys, "key")} disclosed, ${plural(refusals, "line")} refused.`,
            dayLine("Sessions", sessionsByDay),
            dayLine("Keys    ", keysByDay),
          ].join("\n"),
  };
};

export const sessionColumns: readonly ColumnOf<ReviewedSession>[] = [
  { name: "SessionId", width: 18, cell: (one) => one.sessionId },
  { name: "User", width: 10, cell: (one) => one.connectedUser },
  { name: "StartedAt", width: 24, cell: (one) => one.startedAt },
  { name: "EndedAt", width: 24, cell: (one) => one.endedAt ?? null },
  { name: "ExitStatus", width: 10, cell: (one) => one.exitStatus ?? null },
  { name: "Commands", width: 8, cell: (one) => one.commands },
  { name: "Refused", width: 7, cell: (one) => one.refusals },
  { name: "Keys", width: 4, cell: (one) => one.keys },
  { name: "Mode", width: 11, cell: (one) => one.mode },
  { name: "ClientAddress", width: 15, cell: (one) => one.clientAddress },
  { name: "Ending", width: 12, cell: (one) => (one.ending === "Running" ? "running" : one.reason) },
];

async function* seenBy(
  take: (session: ReviewedSession) => void,
  batches: AsyncIterable<readonly ReviewedSession[]>,
): AsyncGenerator<readonly ReviewedSession[]> {
  for await (const batch of batches) {
    batch.forEach(take);
    yield batch;
  }
}

export const sessionRows = (sessions: AsyncIterable<readonly ReviewedSession[]>): FoundRows<ReviewedSession> => {
  const totals = createTotals();
  return { rows: seenBy(totals.take, sessions), summary: totals.inWords };
};
