import type { KeyObject } from "node:crypto";
import type { CellKind } from "./cell-kinds.ts";
import { fingerprint, openCellByAny } from "./cells.ts";
import type { DataKeys } from "./cells.ts";
import { UnreadableCell, unavailable } from "./failures.ts";
import { isDigest } from "./row-digests.ts";

/** What the database allows, as the check of its master key says. */
export interface StoragePolicy {
  readonly plainTextAllowed: boolean;
  /** Says what was imported for a key or a computer, and opens nothing. */
  readonly fingerprintKey: KeyObject;
}

/** As it stands in the table; none of it is trusted. */
export interface StoredSecret {
  readonly rowId: number;
  /** What the row is about: a key id, or a computer's folded name. */
  readonly subject: string;
  readonly raw: unknown;
  /** In hexadecimal digits. */
  readonly fingerprint: unknown;
}

/**
 * What one cell holds: a text where that is allowed, and which was imported for this subject; or what decrypts in this very place. Anything
 * else is an error, never a missing value: DecryptString's NULL has cost real sites their evidence. The caller zeroes it.
 */
export const openStored = (
  { plainTextAllowed, fingerprintKey }: StoragePolicy,
  dataKeys: DataKeys,
  { place, marked, encoding }: CellKind,
  { rowId, subject, raw, fingerprint: stored }: StoredSecret,
): Buffer => {
  const where = (): string => `${place.column} of row ${rowId} (${subject})`;
  if (typeof raw === "string") {
    if (!plainTextAllowed) throw new UnreadableCell(`${where()} is plain text, which this database does not allow`);
    const plain = Buffer.from(raw, encoding);
    // An encrypted one needs no such check: it opens in its own row only.
    if (!isDigest(stored, fingerprint(fingerprintKey, marked(subject), plain).toString("hex")))
      throw new UnreadableCell(`${where()} is not the one that was imported`);
    return plain;
  }
  if (!(raw instanceof Uint8Array)) throw new UnreadableCell(`${where()} is missing`);
  if (dataKeys.length === 0)
    throw unavailable(
      "The certificate that protects the recovery keys is missing.",
      `${where()} is encrypted, but there is no certificate`,
    );
  return openCellByAny(dataKeys, { ...place, rowId, subject }, raw).plain;
};
