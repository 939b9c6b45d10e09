import { EndpointError } from "../server/errors.ts";
import { elevationTable } from "./elevation-rows.ts";
import { requestId } from "../server/command/parameter-kinds.ts";
import { value } from "../server/command/parameters.ts";
import { rowsCommand } from "../server/command/rows-command.ts";

export const getElevation = rowsCommand({
  name: "Get-Elevation",
  synopsis: "Lists requests for approval: your own, and those you can decide.",
  description:
    "Your own requests of the last day, with their state. If you may approve, also every pending request of other users.",
  examples: [
    { line: "Get-Elevation", explains: "Your requests, and those you can decide; newest first." },
    { line: "Get-Elevation -Format json", explains: "The same for a script." },
  ],
  forElevation: true,
  parameters: {
    RequestId: value(requestId, { synopsis: "Only this request.", position: 0 }),
  },
  ...elevationTable,
  rows: ({ RequestId: wanted }, { elevation, visibleCommands }) => {
    const decides = visibleCommands.some(({ name }) => name === "Approve-Elevation" || name === "Deny-Elevation");
    const all = [...(decides ? elevation.toDecide() : []), ...elevation.own()];
    const found = wanted === undefined ? all : all.filter((one) => one.requestId === wanted);
    if (wanted !== undefined && found.length === 0) {
      throw new EndpointError("ObjectNotFound", "There is no such request. Get-Elevation lists those you can see.");
    }
    return found;
  },
});
