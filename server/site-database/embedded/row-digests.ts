import { createHmac, timingSafeEqual } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { deriveKeyObject } from "./master-key.ts";
import type { KeySource } from "./master-key.ts";

/*
 * A row belongs to its computer: a keyed digest beside each row that says which computer, volume, kind and time a key has.
 * A cell opens only in its own row; without these digests its row could be tied to another computer by anybody who can write the file.
 */

/** What a link's digest covers, with `m` the computer and `v` the volume. */
export const linkFields = "m.Id, m.Name, m.NameFolded, v.Id, v.VolumeGuid, v.VolumeTypeId, v.Derived";

/** What a key's digest covers, with `k` the key. Not `Disclosed`: it changes, and each disclosure is on the record. */
export const keyFields = "k.Id, k.RecoveryKeyId, k.VolumeId, k.ProtectorKind, k.LastUpdateTime, k.LastUpdateTimeGiven";

const digestBytes = 16;

// JSON, because it can't be ambiguous.
const digestOf = (key: KeyObject, kind: string, fields: readonly unknown[]): Buffer =>
  createHmac("sha256", key)
    .update(JSON.stringify([kind, ...fields]))
    .digest()
    .subarray(0, digestBytes);

export interface RowDigests {
  /** Of the values of `linkFields`. */
  readonly ofLink: (fields: readonly unknown[]) => Buffer;
  /** Of the values of `keyFields`. */
  readonly ofKey: (fields: readonly unknown[]) => Buffer;
}

/** The digests' key. The caller keeps it as long as the database is open. */
export const rowDigestKey = (masterKey: KeySource): KeyObject => deriveKeyObject(masterKey, "pep row digest 1");

export const createRowDigests = (key: KeyObject): RowDigests => ({
  ofLink: (fields) => digestOf(key, "pep link 1", fields),
  ofKey: (fields) => digestOf(key, "pep key 1", fields),
});

export const isDigest = (stored: unknown, expected: Buffer): boolean =>
  stored instanceof Uint8Array && stored.length === expected.length && timingSafeEqual(stored, expected);

/** Gives a connection `link_digest(…)` and `key_digest(…)`, so that an import stays a few statements over sets. */
export const addDigestFunctions = (database: DatabaseSync, { ofLink, ofKey }: RowDigests): void => {
  const options = { deterministic: true, directOnly: true, varargs: true } as const;
  database.function("link_digest", options, (...fields) => ofLink(fields));
  database.function("key_digest", options, (...fields) => ofKey(fields));
};
