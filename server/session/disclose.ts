import { revealSecret, Secret, type OtherSecret } from "../secret.ts";
import { recordOf, type Party } from "../identity/party.ts";
import type { EventLog, Origin } from "../audit/event.ts";
import type { Row, SecretFile } from "../command/define-command.ts";
import { given } from "../command/given.ts";
import type { Delivery, DisclosedCell } from "./delivery.ts";
import { withoutPrivateUse } from "../model/harmless-text.ts";

/** A key as the record names it. */
interface ShownKey {
  readonly keyId: string;
  readonly computerName: string;
}

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

/** Puts keys on the record, and waits until that is durable. @throws EndpointError AuditUnavailable, LimitsExceeded */
const putOnRecord = async (
  keys: ShownKey[],
  what: OtherSecret | undefined,
  { log, origin, party, invocationId, command, reason, delivery, count }: Disclosure,
): Promise<void> => {
  const takeBack = count(keys.map(({ keyId }) => keyId));
  try {
    await log.append({
      type: "disclosure",
      ...origin,
      invocationId,
      command,
      how: delivery.how,
      ...given({ reason, what }),
      ...recordOf(party),
      keys,
    });
  } catch (error) {
    takeBack();
    throw error;
  }
  await delivery.disclosed?.(keys.map(({ keyId }) => keyId));
};

/**
 * The only way from a recovery key to its text: puts every key of the batch on the record, each as what it is, waits until that is durable,
 * has them marked as disclosed, then opens them.
 *
 * @throws EndpointError AuditUnavailable, LimitsExceeded; then nothing of the batch was opened
 */
export const disclose = async (
  rows: readonly Row[],
  disclosure: Disclosure,
): Promise<readonly (readonly DisclosedCell[])[]> => {
  const { delivery, mark } = disclosure;
  // A loop, as flatMap over every cell made three arrays a row.
  const shown = new Map<OtherSecret | undefined, ShownKey[]>();
  for (const row of rows) {
    for (const cell of row) {
      if (!(cell instanceof Secret)) continue;
      const { keyId = "unknown", computerName = "unknown", what } = cell.label ?? {};
      const keys = shown.get(what);
      if (keys === undefined) shown.set(what, [{ keyId, computerName }]);
      else keys.push({ keyId, computerName });
    }
  }
  for (const [what, keys] of shown) await putOnRecord(keys, what, disclosure);
  const marked = shown.get(undefined);
  if (marked !== undefined) await mark?.([...new Set(marked.map(({ keyId }) => keyId))]);
  // A screen's glyphs are private-use code points: none may come from the database.
  const plain = delivery.how === "exec" ? (text: string) => text : withoutPrivateUse;
  return rows.map((row) =>
    row.map((cell) => {
      if (cell instanceof Secret) return delivery.reveal(revealSecret(cell));
      return typeof cell === "string" ? plain(cell) : cell;
    }),
  );
};

/**
 * The same for a secret that is a file: it is taken from the site, which marks its key, only when its disclosure is durable.
 *
 * @returns the file in base64
 * @throws EndpointError AuditUnavailable, LimitsExceeded; then nothing was taken
 */
export const discloseFile = async (
  { label: { keyId, computerName, what }, take }: SecretFile,
  disclosure: Disclosure,
): Promise<string> => {
  await putOnRecord([{ keyId, computerName }], what, disclosure);
  return revealSecret(await take());
};
