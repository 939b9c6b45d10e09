import { EndpointError } from "../server/errors.ts";
import { defineCommand, outputFormats } from "../server/command/define-command.ts";
import { elevationRows } from "./elevation-rows.ts";
import { oneOf, requestId } from "../server/command/parameter-kinds.ts";
import { value } from "../server/command/parameters.ts";

export const getElevation = defineCommand({
  name: "Get-Elevation",
  synopsis: "Lists requests for approval: your own, and those you can decide.",
  description:
    "Your own requests of the last day with their state; where you may approve, also every pending request of somebody else.",
  examples: [
    { line: "Get-Elevation", explains: "Everything you have a part in, newest first." },
    { line: "Get-Elevation -Format json", explains: "The same for a script." },
  ],
  forElevation: true,
  parameters: {
    RequestId: value(requestId, { synopsis: "Only this request.", position: 0 }),
    Format: value(oneOf(outputFormats), { synopsis: "How rows are written." }),
  },
  run: (values, { elevation, visibleCommands }) => {
    const decides = visibleCommands.some(({ name }) => name === "Approve-Elevation" || name === "Deny-Elevation");
    const all = [...(decides ? elevation.toDecide() : []), ...elevation.own()];
    const wanted = values.RequestId;
    const found = wanted === undefined ? all : all.filter((one) => one.requestId === wanted);
    if (wanted !== undefined && found.length === 0) {
      throw new EndpointError("ObjectNotFound", "There is no such request. Get-Elevation lists those you can see.");
    }
    return elevationRows(found, values.Format);
  },
});
