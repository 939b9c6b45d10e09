import { EndpointError } from "../../errors.ts";
import { Secret } from "../../secret.ts";
import type { SiteDatabase } from "../../command/site-database.ts";
import { isCanonicalGuid } from "../../model/guid.ts";
import { decodeBytes } from "./columns.ts";
import { unavailable } from "./errors.ts";
import { getRecoveryKeyName } from "./introspection.ts";
import type { SiteConnections } from "./site-connections.ts";
import { getRecoveryKey } from "./statements.ts";

/** Both as MBAM's model has them; that Configuration Manager gives them is inferred. */
const packageColumns = ["BitLockerRecoveryKeyPackage", "DeprecatedRecoveryKeyPackage"] as const;
/** MBAM's own limit. */
const largestPackage = 7000;

/** A column of what the procedure gave for one key; null where it has no such column. */
type Given = (column: string) => unknown;

const packageIn = (passwordId: string, given: Given): Secret | undefined => {
  const found = packageColumns.map((column) => decodeBytes(given(column))).find((bytes) => bytes !== undefined);
  if (found === undefined) return undefined;
  if (found.length > largestPackage)
    throw unavailable(
      "The site database gave a recovery package that is none. The log says which.",
      `${getRecoveryKeyName} gave ${found.length} bytes for ${passwordId}`,
    );
  const computer = given("MachineName");
  return new Secret(Buffer.from(found).toString("base64"), {
    keyId: passwordId,
    computerName: typeof computer === "string" ? computer : "unknown",
    what: "recovery-package",
  });
};

/**
 * What asks the site's own procedure for keys: it marks a key and gives it. Not repeated where a connection is lost: who knows how far it
 * came?
 *
 * @param writes to the primary
 */
export const createKeyAsker = (
  writes: SiteConnections,
): Pick<SiteDatabase, "markDisclosed" | "hasRecoveryPackage" | "takeRecoveryPackage"> => {
  /** @param take makes of what was given for a key what is kept of it */
  const ask = <Kept>(
    passwordIds: Iterable<string>,
    reason: string,
    signal: AbortSignal,
    take: (given: Given) => Kept,
  ): Promise<readonly Kept[]> =>
    writes.use(signal, async ({ connection }, site) => {
      if (!site.canDisclose)
        throw unavailable(
          "This site can't mark recovery keys as disclosed, so they are not shown; the log says what is missing.",
          `The procedure ${getRecoveryKeyName} is not there, or the login may not run it.`,
        );
      const kept: Kept[] = [];
      for (const passwordId of passwordIds) {
        const batches = await connection.all(getRecoveryKey(passwordId, reason), { signal });
        const answer = batches.find(({ columns }) => columns.includes("RecoveryKey"));
        const given: Given = (column) => answer?.rows[0]?.[answer.columns.indexOf(column)] ?? null;
        // What the procedure does where it can't open the key is not documented: it may not have come as far as the mark.
        if (given("RecoveryKey") === null)
          throw unavailable(
            "The site database did not mark a recovery key, so it is not shown. The log says which.",
            `${getRecoveryKeyName} gave no RecoveryKey for ${passwordId}: it has no such key, or its master key is not open`,
          );
        kept.push(take(given));
      }
      return kept;
    });

  return {
    // Its answers stay closed.
    markDisclosed: async (passwordIds, reason, signal) =>
      void (await ask(new Set(passwordIds), reason, signal, () => undefined)),
    // Only the procedure tells, and a question that marks keys is none.
    hasRecoveryPackage: () => Promise.resolve(undefined),
    takeRecoveryPackage: async (passwordId, reason, signal) => {
      if (!isCanonicalGuid(passwordId))
        throw new EndpointError("InvalidArgument", "A recovery package is asked for by its key's whole id.");
      const [taken] = await ask([passwordId], reason, signal, (given) => packageIn(passwordId, given));
      return taken;
    },
  };
};
