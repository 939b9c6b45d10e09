import type { Elevation } from "../server/command/elevation-port.ts";
import type { OutputFormat, RowsResult } from "../server/command/define-command.ts";
import { oneBatch } from "./one-batch.ts";

/** Requests as rows; a list unless asked otherwise, because no column may cut what is to be approved. */
export const elevationRows = (elevations: readonly Elevation[], format: OutputFormat | undefined): RowsResult => ({
  kind: "rows",
  columns: [
    { name: "RequestId", width: 12 },
    { name: "State", width: 8 },
    { name: "Requester", width: 12 },
    { name: "Invocation", width: 40 },
    { name: "Rows", width: 6 },
    { name: "Reason", width: 20 },
    { name: "RequestedAt", width: 24 },
    { name: "ExpiresAt", width: 24 },
    { name: "DecidedBy", width: 12 },
    { name: "Comment", width: 20 },
    { name: "Finding", width: 20 },
  ],
  batches: oneBatch(
    elevations.map((one) => [
      one.requestId,
      one.state,
      one.requester,
      one.invocation,
      one.ceiling ?? null,
      one.reason ?? null,
      one.requestedAt.toISOString(),
      one.expiresAt.toISOString(),
      one.decidedBy ?? null,
      one.comment ?? null,
      one.finding ?? null,
    ]),
  ),
  count: () => Promise.resolve(elevations.length),
  format: format ?? "list",
});
