import type { EventLog } from "../audit/event.ts";
import { openRecord } from "../audit/open-record.ts";
import type { pathsIn } from "../configuration.ts";
import { connectControl } from "../control/control-socket.ts";
import type { Io } from "./io.ts";
import { readLogKey } from "./private-key.ts";

/**
 * The record for a local command: the running server's, through its control socket, or the log itself, under its lock, when
 * none runs (design §9: one writer).
 */
export const openLocalRecord = async (
  paths: Pick<ReturnType<typeof pathsIn>, "control" | "audit" | "logKey">,
  io: Pick<Io, "now" | "uptimeMs" | "hostName" | "stderr">,
): Promise<EventLog & { close(): Promise<void> }> =>
  (await connectControl(paths.control)) ??
  openRecord({
    directory: paths.audit,
    key: readLogKey(paths.logKey),
    now: io.now,
    uptimeMs: io.uptimeMs,
    server: io.hostName,
    report: (problem) => io.stderr.write(`pep: ${problem}\n`),
  });
