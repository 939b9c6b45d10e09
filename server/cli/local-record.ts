import type { EventLog } from "../audit/event.ts";
import { openRecord } from "../audit/open-record.ts";
import type { SiteState } from "../audit/site-events.ts";
import type { pathsIn } from "../configuration.ts";
import { connectControl } from "../control/control-socket.ts";
import type { ImportRecord } from "../site-database/embedded/index.ts";
import type { Io } from "./io.ts";
import { readLogKey } from "../endpoint/private-key.ts";
import type { Runtime } from "../runtime.ts";

/** The record, written by the running server or by this process. */
export interface LocalRecord extends EventLog {
  /** What it says of the site database's rows. */
  siteState(): Promise<SiteState | undefined> | SiteState | undefined;
  close(): Promise<void>;
}

/**
 * The record for a local command: the running server's, through its control socket, or the log itself, under its lock, when
 * none runs: one process writes it.
 */
export const openLocalRecord = async (
  paths: Pick<ReturnType<typeof pathsIn>, "control" | "audit" | "logKey">,
  io: Runtime & Pick<Io, "hostName">,
  stop?: AbortSignal,
): Promise<LocalRecord> =>
  (await connectControl(paths.control)) ??
  openRecord({
    directory: paths.audit,
    key: readLogKey(paths.logKey),
    server: io.hostName,
    ...(stop === undefined ? {} : { stop }),
    runtime: io,
  });

/** The same, as an import needs it. */
export const importRecord = (record: LocalRecord): ImportRecord => ({
  newest: async () => record.siteState(),
  written: (state) => record.append({ type: "site-written", ...state }),
});
