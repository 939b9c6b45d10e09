import { elevationTable } from "./elevation-rows.ts";
import { freeText, requestId } from "../server/command/parameter-kinds.ts";
import { requiredValue } from "../server/command/parameters.ts";
import { rowsCommand } from "../server/command/rows-command.ts";

export const denyElevation = rowsCommand({
  name: "Deny-Elevation",
  synopsis: "Refuses another person's request.",
  description: "The requester is told, with your comment. They may ask again.",
  examples: [{ line: "Deny-Elevation E-0123456789 -Comment 'No ticket'", explains: "Refuses, and says why." }],
  forElevation: true,
  parameters: {
    RequestId: requiredValue(requestId, { synopsis: "The request.", position: 0 }),
    Comment: requiredValue(
      freeText({ placeholder: "<text>", expects: "a text of at most 256 characters", longest: 256, suggestions: [] }),
      { synopsis: "Why; the requester reads it, and it goes on the record." },
    ),
  },
  ...elevationTable,
  rows: async ({ RequestId, Comment }, { elevation }) => [await elevation.decide(RequestId, "denied", Comment)],
});
