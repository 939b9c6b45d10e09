import { defineCommand, outputFormats } from "../server/command/define-command.ts";
import { elevationRows } from "./elevation-rows.ts";
import { freeText, oneOf, requestId } from "../server/command/parameter-kinds.ts";
import { requiredValue, value } from "../server/command/parameters.ts";

export const denyElevation = defineCommand({
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
    Format: value(oneOf(outputFormats), { synopsis: "How rows are written." }),
  },
  run: async (values, { elevation }) =>
    elevationRows([await elevation.decide(values.RequestId, "denied", values.Comment)], values.Format),
});
