import type { ReviewedSession } from "../server/command/review-port.ts";
import type { OutputFormat, Row, RowsResult } from "../server/command/define-command.ts";
import { dayLine } from "./sparkline.ts";

const plural = (count: number, one: string): string => `${count} ${one}${count === 1 ? "" : "s"}`;

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

export const sessionRows = (
  sessions: AsyncIterable<readonly ReviewedSession[]>,
  format: OutputFormat | undefined,
): RowsResult => {
  const totals = createTotals();
  return {
    kind: "rows",
    columns: [
      { name: "SessionId", width: 18 },
      { name: "User", width: 10 },
      { name: "StartedAt", width: 24 },
      { name: "EndedAt", width: 24 },
      { name: "ExitStatus", width: 10 },
      { name: "Commands", width: 8 },
      { name: "Refused", width: 7 },
      { name: "Keys", width: 4 },
      { name: "Mode", width: 11 },
      { name: "ClientAddress", width: 15 },
      { name: "Ending", width: 12 },
    ],
    batches: (async function* rows(): AsyncGenerator<readonly Row[]> {
      for await (const batch of sessions) {
        batch.forEach(totals.take);
        yield batch.map((one) => [
          one.sessionId,
          one.connectedUser,
          one.startedAt,
          one.endedAt ?? null,
          one.exitStatus ?? null,
          one.commands,
          one.refusals,
          one.keys,
          one.mode,
          one.clientAddress,
          one.ending,
        ]);
      }
    })(),
    summary: totals.inWords,
    ...(format === undefined ? {} : { format }),
  };
};
