import { revealSecret, Secret } from "../secret.ts";
import { recordOf, type Party } from "../identity/party.ts";
import type { EventLog, Origin } from "../audit/event.ts";
import type { Row } from "../command/define-command.ts";
import type { Delivery, DisclosedCell } from "./delivery.ts";
import { withoutPrivateUse } from "../model/harmless-text.ts";

export interface Disclosure {
  readonly log: EventLog;
  readonly origin: Origin;
  readonly party: Party;
  readonly invocationId: string;
  readonly command: string;
  readonly reason: string | undefined;
  readonly delivery: Pick<Delivery, "how" | "reveal" | "disclosed">;
  /** Counts the keys against the limit of an hour. @returns takes them back */
  readonly count: (keyIds: readonly string[]) => () => void;
  /** Marks the keys in the site database, where the command wants it. */
  readonly mark: ((keyIds: readonly string[]) => Promise<void>) | undefined;
}

/**
 * The only way from a recovery key to its text: puts every key of the batch on the record, waits until that is durable,
 * has them marked as disclosed, then opens them.
 *
 * @throws EndpointError AuditUnavailable, LimitsExceeded; then nothing of the batch was opened
 */
export const disclose = async (
  rows: readonly Row[],
  { log, origin, party, invocationId, command, reason, delivery, count, mark }: Disclosure,
): Promise<readonly (readonly DisclosedCell[])[]> => {
  // A loop, as flatMap over every cell made three arrays a row.
  const keys: { readonly keyId: string; readonly computerName: string }[] = [];
  for (const row of rows) {
    for (const cell of row) {
      if (cell instanceof Secret)
        keys.push({ keyId: cell.label?.keyId ?? "unknown", computerName: cell.label?.computerName ?? "unknown" });
    }
  }
  if (keys.length > 0) {
    const takeBack = count(keys.map(({ keyId }) => keyId));
    try {
      await log.append({
        type: "disclosure",
        ...origin,
        invocationId,
        command,
        how: delivery.how,
        ...(reason === undefined ? {} : { reason }),
        ...recordOf(party),
        keys,
      });
    } catch (error) {
      takeBack();
      throw error;
    }
    await delivery.disclosed?.(keys.map(({ keyId }) => keyId));
    await mark?.([...new Set(keys.map(({ keyId }) => keyId))]);
  }
  // A screen's glyphs are private-use code points: none may come from the database.
  const plain = delivery.how === "exec" ? (text: string) => text : withoutPrivateUse;
  return rows.map((row) =>
    row.map((cell) => {
      if (cell instanceof Secret) return delivery.reveal(revealSecret(cell));
      return typeof cell === "string" ? plain(cell) : cell;
    }),
  );
};
