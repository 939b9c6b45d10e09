import type { ReviewedEvent, SessionOutcome } from "../server/command/review-port.ts";
import { EndpointError } from "../server/errors.ts";
import { auditEventRows } from "./audit-event-rows.ts";
import { defineCommand, outputFormats } from "../server/command/define-command.ts";
import {
  commandName,
  computerName,
  keyIdOrPrefix,
  momentOf,
  oneOf,
  sessionId,
  since,
  userName,
} from "../server/command/parameter-kinds.ts";
import { list, value } from "../server/command/parameters.ts";
import { sessionRows } from "./session-rows.ts";

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

export const getSession = defineCommand({
  name: "Get-Session",
  synopsis: "Lists sessions on the record, or shows what was done in one of them.",
  description:
    "One row a session, in the order in which they ended; those that still run come last. Several filters all have to hold. For people " +
    "the counts follow, with a line for the sessions and one for the keys of each day (UTC). With -SessionId: the events of that " +
    "session. That you looked, and for what, is itself on the record.",
  examples: [
    { line: "Get-Session -Since 7d", explains: "What began in the last seven days." },
    { line: "Get-Session -KeyId 3A78B34B", explains: "Who was shown a key." },
    { line: "Get-Session -User support -Outcome Failed,Refused", explains: "Where something did not go as it should." },
    { line: "Get-Session S-0123456789abcdef", explains: "What was done in one session." },
    { line: "Get-Session | Select-Object SessionId,User,StartedAt,Keys", explains: "What fits a narrow screen." },
  ],
  parameters: {
    SessionId: value(sessionId, { synopsis: "The events of this session; goes without the filters.", position: 0 }),
    User: value(userName, { synopsis: "Only sessions of this user." }),
    Since: value(since, { synopsis: "Only sessions that began then or later." }),
    Until: value(since, { synopsis: "Only sessions that began before." }),
    Command: value(commandName, { synopsis: "Only sessions in which this command ran." }),
    KeyId: value(keyIdOrPrefix, { synopsis: "Only sessions that were shown a key whose id is this, or begins so." }),
    ComputerName: value(computerName, { synopsis: "Only sessions that were shown a key of this computer." }),
    Outcome: list(oneOf(outcomes), {
      synopsis: "Only sessions in which something ended so; that still run; or that a crash ended (Aborted).",
    }),
    Format: value(oneOf(outputFormats), { synopsis: "How rows are written." }),
  },
  conflict: ({ SessionId, Format: _format, ...filters }) =>
    SessionId !== undefined && Object.keys(filters).length > 0 ? "-SessionId goes without the filters." : undefined,
  run: async (values, context) => {
    const { review } = context;
    if (values.SessionId !== undefined) {
      const events = await review.events({ sessionId: values.SessionId, follow: false });
      return auditEventRows(someOrNotFound(events, values.SessionId), values.Format, {
        interactive: context.interactive,
        isLive: false,
      });
    }
    const sessions = await review.sessions({
      ...(values.User === undefined ? {} : { user: values.User }),
      ...(values.Since === undefined ? {} : { since: momentOf(values.Since, context.now()) }),
      ...(values.Until === undefined ? {} : { until: momentOf(values.Until, context.now()) }),
      ...(values.Command === undefined ? {} : { command: values.Command }),
      ...(values.KeyId === undefined ? {} : { keyId: values.KeyId }),
      ...(values.ComputerName === undefined ? {} : { computerName: values.ComputerName }),
      ...(values.Outcome === undefined ? {} : { outcomes: values.Outcome }),
    });
    return sessionRows(sessions, values.Format);
  },
});
