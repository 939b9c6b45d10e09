import type { ReviewedEvent, SessionOutcome } from "../server/command/review-port.ts";
import { EndpointError } from "../server/errors.ts";
import { eventColumns } from "./audit-event-columns.ts";
import {
  commandName,
  computerName,
  keyIdOrPrefix,
  oneOf,
  sessionId,
  since,
  userName,
} from "../server/command/parameter-kinds.ts";
import { list, value } from "../server/command/parameters.ts";
import { momentOf } from "../server/model/moment.ts";
import { given } from "../server/command/given.ts";
import { rowsCommand, rowsResult } from "../server/command/rows-command.ts";
import { sessionColumns, sessionRows } from "./session-rows.ts";

const outcomes = [
  "Succeeded",
  "Failed",
  "Stopped",
  "Refused",
  "Aborted",
  "Running",
] as const satisfies readonly SessionOutcome[];

/** A review that asked for a session that is not there, as this one may, does not make it one. */
async function* someOrNotFound(
  events: AsyncIterable<readonly ReviewedEvent[]>,
  wanted: string,
): AsyncGenerator<readonly ReviewedEvent[]> {
  let found = false;
  for await (const batch of events) {
    const first = found ? 0 : batch.findIndex((event) => event.sessionId === wanted);
    if (first < 0) continue;
    found = true;
    yield batch.slice(first);
  }
  if (!found) throw new EndpointError("ObjectNotFound", "There is no such session on the record.");
}

export const getSession = rowsCommand({
  name: "Get-Session",
  synopsis: "Lists sessions on the record, or shows the events of one.",
  description:
    "One row a session, in the order in which they ended. Running sessions come last. A session must satisfy all filters. For people, " +
    "the counts follow: a line for the sessions and one for the keys of each day (UTC). -SessionId shows the events of one session. " +
    "Your query is itself on the record.",
  examples: [
    { line: "Get-Session -Since 7d", explains: "Sessions of the last seven days." },
    { line: "Get-Session -KeyId 3A78B34B", explains: "Sessions that were shown a key." },
    {
      line: "Get-Session -User support -Outcome Failed,Refused",
      explains: "Sessions in which something failed or was refused.",
    },
    { line: "Get-Session S-0123456789abcdef", explains: "The events of one session." },
    {
      line: "Get-Session | Select-Object SessionId,User,StartedAt,Keys",
      explains: "Columns that fit a narrow screen.",
    },
  ],
  parameters: {
    SessionId: value(sessionId, { synopsis: "The events of this session. Leave the filters out.", position: 0 }),
    User: value(userName, { synopsis: "Only sessions of this user." }),
    Since: value(since, { synopsis: "Only sessions that were under way then or later." }),
    Until: value(since, { synopsis: "Only sessions that began before." }),
    Command: value(commandName, { synopsis: "Only sessions in which this command ran." }),
    KeyId: value(keyIdOrPrefix, {
      synopsis: "Only sessions that were shown a key with this id or this beginning of an id.",
    }),
    ComputerName: value(computerName, { synopsis: "Only sessions that were shown a key of this computer." }),
    Outcome: list(oneOf(outcomes), {
      synopsis: "Only sessions in which a command ended so, that still run (Running), or that a crash ended (Aborted).",
    }),
  },
  conflict: ({ SessionId, Format: _format, ...filters }) =>
    SessionId !== undefined && Object.keys(filters).length > 0 ? "With -SessionId, leave the filters out." : undefined,
  columns: sessionColumns,
  rows: async (values, { review, now, interactive }) => {
    const { SessionId: sessionId } = values;
    if (sessionId !== undefined) {
      const events = await review.events({ sessionId, follow: false });
      return rowsResult(eventColumns({ format: values.Format, interactive }), {
        rows: someOrNotFound(events, sessionId),
      });
    }
    const sessions = await review.sessions(
      given({
        user: values.User,
        since: momentOf(values.Since, now()),
        until: momentOf(values.Until, now()),
        command: values.Command,
        keyId: values.KeyId,
        computerName: values.ComputerName,
        outcomes: values.Outcome,
      }),
    );
    return sessionRows(sessions);
  },
});
