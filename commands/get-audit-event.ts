import { eventColumns } from "./audit-event-columns.ts";
import { integer, sessionId, since, text, userName } from "../server/command/parameter-kinds.ts";
import { momentOf } from "../server/model/moment.ts";
import { flag, list, value } from "../server/command/parameters.ts";
import { given } from "../server/command/given.ts";
import { rowsCommand } from "../server/command/rows-command.ts";

/** -Last has to hold that many until the end is reached. */
const mostLast = 1000;

export const getAuditEvent = rowsCommand({
  name: "Get-AuditEvent",
  synopsis: "Shows events of the record, or follows them as they happen.",
  description:
    "One row an event, oldest first. -Follow shows new events, each once it is durable, until you stop it with Ctrl-C; -Last or -Since " +
    "begin earlier. In the formats json, ndjson and csv the column Detail has all other fields of the event, as JSON. The record holds no " +
    "recovery key. Your query is itself on the record.",
  examples: [
    { line: "Get-AuditEvent -Last 20", explains: "The end of the record." },
    { line: "Get-AuditEvent -Follow", explains: "New events, until Ctrl-C." },
    {
      line: "Get-AuditEvent -Type disclosure -Since 1d -Format ndjson",
      explains: "Every disclosure of a day, for a script.",
    },
    {
      line: "Get-AuditEvent -Type authentication,request-refused -User support",
      explains: "A user's log-ins and refused requests.",
    },
  ],
  parameters: {
    SessionId: value(sessionId, { synopsis: "Only events of this session, and reviews of it.", position: 0 }),
    Type: list(
      text({
        placeholder: "<type>",
        expects: "a type of event, as session-started or disclosure",
        fits: /^[a-z][a-z-]{0,63}$/,
      }),
      { synopsis: "Only events of these types." },
    ),
    User: value(userName, {
      synopsis: "Only events of this user, proved or claimed, or of this account of the machine.",
    }),
    Since: value(since, { synopsis: "Only events from then on." }),
    Until: value(since, { synopsis: "Only events before." }),
    First: value(integer(1, 1_000_000), { synopsis: "Only this many, from the beginning." }),
    Last: value(integer(1, mostLast), { synopsis: "Only this many, from the end." }),
    Follow: flag({ synopsis: "Go on with new events, until stopped." }),
  },
  conflict: ({ First, Last, Until, Follow, Format }) => {
    if (First !== undefined && Last !== undefined) return "-First and -Last don't go together.";
    if (Follow === true && (First !== undefined || Until !== undefined))
      return "-Follow has no end, so leave -First and -Until out.";
    return Follow === true && Format === "json"
      ? "A JSON array needs an end. With -Follow, write -Format ndjson."
      : undefined;
  },
  columns: ({ Format }, { interactive }) => eventColumns({ format: Format, interactive }),
  rows: async (values, { review, now }) => {
    const isLive = values.Follow === true;
    const events = await review.events({
      ...given({
        sessionId: values.SessionId,
        types: values.Type,
        user: values.User,
        since: momentOf(values.Since, now()),
        until: momentOf(values.Until, now()),
        first: values.First,
        last: values.Last,
      }),
      follow: isLive,
    });
    return { rows: events, ...(isLive ? { live: true } : {}) };
  },
});
