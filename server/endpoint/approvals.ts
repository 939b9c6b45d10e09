import type { OpenRecord } from "../audit/open-record.ts";
import { readRecentLog, type RecentLog } from "../audit/read-recent-log.ts";
import { openElevationStore } from "../authorization/elevation-store.ts";
import { Elevations } from "../authorization/elevation.ts";
import { pathsIn } from "../configuration.ts";
import type { Inputs } from "./inputs.ts";
import type { Start } from "./start.ts";

/** What an earlier server left to this one: approvals that are open, keys that were shown lately. */
export interface Approvals extends Pick<RecentLog, "shownKeys" | "searches"> {
  readonly elevations: Elevations;
}

export const openApprovals = async (
  { configuration, runtime, opened }: Start,
  { codeDelay, roles }: Inputs,
  log: OpenRecord,
): Promise<Approvals> => {
  const paths = pathsIn(configuration.dataDirectory);
  const recent = readRecentLog(paths.log, runtime.now(), log.recentBefore);
  for (const party of recent.gaveCode) codeDelay.succeeded(party);
  const elevations = new Elevations({
    store: await openElevationStore(paths.elevation),
    log,
    now: runtime.now,
    times: () => roles.current.session,
    over: recent.endedElevations,
  });
  opened.defer(() => elevations.close());
  await elevations
    .compact()
    .catch((error: unknown) => runtime.report(`${paths.elevation} stays as large as it is: ${String(error)}`));
  return { elevations, shownKeys: recent.shownKeys, searches: recent.searches };
};
