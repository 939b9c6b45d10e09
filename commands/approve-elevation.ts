import { EndpointError } from "../server/errors.ts";
import { elevationTable } from "./elevation-rows.ts";
import { freeText, requestId } from "../server/command/parameter-kinds.ts";
import { flag, requiredValue } from "../server/command/parameters.ts";
import { rowsCommand } from "../server/command/rows-command.ts";

export const approveElevation = rowsCommand({
  name: "Approve-Elevation",
  synopsis: "Approves another person's request: one invocation, once.",
  description:
    "You approve the invocation that the request shows, with at most the rows it shows, once, for a few minutes. At a prompt the " +
    "endpoint itself asks you to confirm, on a line that begins with its mark. A script confirms with -Confirm. You can't approve your " +
    "own request, or one that was made with the key you are logged in with.",
  examples: [
    {
      line: "Approve-Elevation E-0123456789 -Comment 'Ticket 4711'",
      explains: "At a prompt; you are asked to confirm.",
    },
    {
      line: "Approve-Elevation -RequestId E-0123456789 -Comment 'Ticket 4711' -Confirm",
      explains: "In a script, once you have read the request.",
    },
  ],
  forElevation: true,
  parameters: {
    RequestId: requiredValue(requestId, { synopsis: "The request.", position: 0 }),
    Comment: requiredValue(
      freeText({ placeholder: "<text>", expects: "a text of at most 256 characters", longest: 256, suggestions: [] }),
      { synopsis: "Why you approve it; the requester reads it, and it goes on the record." },
    ),
    Confirm: flag({
      synopsis: "You have read what the request would run. Needed in scripts; at a prompt you are asked in any case.",
    }),
  },
  ...elevationTable,
  rows: async (values, context) => {
    const { elevation, interactive } = context;
    const { requester, invocation, reason, ceiling, finding } = await elevation.findToApprove(values.RequestId);
    const known = [
      ...(ceiling === undefined ? [] : [`at most ${ceiling} rows`]),
      ...(finding === undefined ? [] : [finding]),
    ];
    const rows = known.length === 0 ? "" : ` (${known.join("; ")})`;
    // At a prompt a switch would be worth nothing: the screen's own process types the line.
    if (!interactive && values.Confirm !== true) {
      throw new EndpointError(
        "InvalidArgument",
        `This would let ${requester} run: ${invocation}${rows}. Add -Confirm to approve it.`,
      );
    }
    const question = `Let ${requester} run, once: ${invocation}${rows}; reason: ${reason ?? "none given"}. Approve?`;
    if (interactive && !(await context.confirm(question))) {
      throw new EndpointError("OperationStopped", "Nothing was approved.");
    }
    return [await elevation.decide(values.RequestId, "approved", values.Comment)];
  },
});
