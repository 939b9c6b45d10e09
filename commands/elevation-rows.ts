import type { Elevation } from "../server/command/elevation-port.ts";
import type { ColumnOf } from "../server/command/rows-command.ts";

const columns: readonly ColumnOf<Elevation>[] = [
  { name: "RequestId", width: 12, cell: (one) => one.requestId },
  { name: "State", width: 8, cell: (one) => one.state },
  { name: "Requester", width: 12, cell: (one) => one.requester },
  { name: "Invocation", width: 40, cell: (one) => one.invocation },
  { name: "Rows", width: 6, cell: (one) => one.ceiling ?? null },
  { name: "Reason", width: 20, cell: (one) => one.reason ?? null },
  { name: "RequestedAt", width: 24, cell: (one) => one.requestedAt.toISOString() },
  { name: "ExpiresAt", width: 24, cell: (one) => one.expiresAt.toISOString() },
  { name: "DecidedBy", width: 12, cell: (one) => one.decidedBy ?? null },
  { name: "Comment", width: 20, cell: (one) => one.comment ?? null },
  { name: "Finding", width: 20, cell: (one) => one.finding ?? null },
];

/** Requests as rows. A list unless asked otherwise, because no column may cut what is to be approved. */
export const elevationTable = { columns, usualFormat: "list" } as const;
