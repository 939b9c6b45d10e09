import { createHash } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { prepareArrays, versionOf, writeTransaction } from "./connection.ts";
import { digestAllRows } from "./digest-rows.ts";
import { decodeBytes, decodeInteger } from "./columns.ts";
import { checkOfDataKey } from "./data-key.ts";
import type { KeySource } from "./master-key.ts";
import type { RowDigests } from "./row-digests.ts";
import { prepareSealed, writeSealed } from "./row-set.ts";
import type { RowSet, SetState } from "./row-set.ts";
import {
  masterKeyName,
  rowSetTable,
  schemaVersion,
  versionWithoutDataKeyCheck,
  versionWithoutDigests,
} from "./schema.ts";
import { walkAllRows } from "./walk-rows.ts";

const addDigestColumnsSql = `
ALTER TABLE RecoveryAndHardwareCore_Machines_Volumes ADD COLUMN RowDigest BLOB NOT NULL DEFAULT x'';
ALTER TABLE RecoveryAndHardwareCore_Keys ADD COLUMN RowDigest BLOB NOT NULL DEFAULT x'';
`;

interface RaiseParts {
  readonly digests: RowDigests;
  readonly set: RowSet;
  readonly masterKey: KeySource;
  /** The master key's check for this version, without which the file could be passed off as an older one again. */
  readonly keyCheck: Uint8Array;
}

/** @returns a digest of all of them */
const checkDataKeys = (database: DatabaseSync, masterKey: KeySource): string => {
  database.exec("ALTER TABLE data_keys ADD COLUMN key_check BLOB NOT NULL DEFAULT x''");
  const update = database.prepare("UPDATE data_keys SET key_check = ? WHERE data_key_id = ?");
  const all = createHash("sha256");
  const rows = prepareArrays(database, "SELECT data_key_id, wrapped_key FROM data_keys ORDER BY data_key_id")();
  for (const [id, wrapped] of rows) {
    const check = checkOfDataKey(masterKey, decodeBytes(wrapped, "wrapped_key"));
    all.update(check);
    update.run(check, decodeInteger(id, "data_key_id"));
  }
  return all.digest("hex");
};

/** The state after the raising, which is a write of its own. @returns undefined where what sealed the rows can't be trusted: refused, as before */
const stateAfter = (
  database: DatabaseSync,
  { digests, set }: Pick<RaiseParts, "digests" | "set">,
  version: unknown,
): SetState | undefined => {
  if (version === versionWithoutDataKeyCheck) {
    const state = set.open(prepareSealed(database)());
    return state && { ...state, counter: state.counter + 1, before: set.shown(state).digest };
  }
  database.exec(rowSetTable);
  const { keys, links, sum } = walkAllRows({ database, digests, elementKey: set.elementKey });
  return { counter: 1, keys, links, sum, before: "" };
};

/**
 * Brings an older database to this version, all in one transaction: version 1 gets the digests of its rows, versions 1 and 2 what seals all
 * of them, all of them the checks of data keys, as they stand. What was changed or taken away before stays so: nothing in such a file tells.
 * Where an older copy is brought here a second time, the record tells.
 */
export const raiseVersion = (database: DatabaseSync, { digests, set, masterKey, keyCheck }: RaiseParts): void =>
  writeTransaction(database, () => {
    // Another process may have been first, and its rows must not be vouched for twice.
    const version = versionOf(database);
    if (version === schemaVersion) return;
    if (version === versionWithoutDigests) {
      database.exec(addDigestColumnsSql);
      digestAllRows(database);
    }
    const state = stateAfter(database, { digests, set }, version);
    const dataKeys = checkDataKeys(database, masterKey);
    if (state !== undefined) writeSealed(database, set.seal({ ...state, dataKeys }));
    database.prepare("UPDATE sys_symmetric_keys SET key_check = ? WHERE name = ?").run(keyCheck, masterKeyName);
    database.exec(`PRAGMA user_version = ${schemaVersion}`);
  });
