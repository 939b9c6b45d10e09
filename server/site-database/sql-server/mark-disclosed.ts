import type { SiteDatabase } from "../../command/site-database.ts";
import { unavailable } from "./errors.ts";
import { getRecoveryKeyName } from "./introspection.ts";
import type { SiteConnections } from "./site-connections.ts";
import { getRecoveryKey } from "./statements.ts";

/**
 * Asks the site's own procedure for each key, which marks it and gives it once more; that answer stays closed. Not repeated where a
 * connection is lost: who knows how far it came?
 *
 * @param writes to the primary
 */
export const createMarker =
  (writes: SiteConnections): SiteDatabase["markDisclosed"] =>
  (passwordIds, reason, signal) =>
    writes.use(signal, async ({ connection }, site) => {
      if (!site.canDisclose)
        throw unavailable(
          "This site can't mark recovery keys as disclosed, so they are not shown; the log says what is missing.",
          `The procedure ${getRecoveryKeyName} is not there, or the login may not run it.`,
        );
      for (const passwordId of new Set(passwordIds)) {
        const batches = await connection.all(getRecoveryKey(passwordId, reason), { signal });
        const answer = batches.find(({ columns }) => columns.includes("RecoveryKey"));
        const given = answer?.rows[0]?.[answer.columns.indexOf("RecoveryKey")] ?? null;
        // What the procedure does where it can't open the key is not documented: it may not have come as far as the mark.
        if (given === null)
          throw unavailable(
            "The site database did not mark a recovery key, so it is not shown. The log says which.",
            `${getRecoveryKeyName} gave no RecoveryKey for ${passwordId}: it has no such key, or its master key is not open`,
          );
      }
    });
