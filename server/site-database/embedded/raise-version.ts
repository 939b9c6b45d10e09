import type { DatabaseSync } from "node:sqlite";
import { versionOf, writeTransaction } from "./connection.ts";
import { keyFields, linkFields } from "./row-digests.ts";
import type { RowDigests } from "./row-digests.ts";
import { writeSealed } from "./row-set.ts";
import type { RowSet } from "./row-set.ts";
import { masterKeyName, rowSetTable, schemaVersion, versionWithoutDigests } from "./schema.ts";
import { walkAllRows } from "./walk-rows.ts";

const addDigestsSql = `
ALTER TABLE RecoveryAndHardwareCore_Machines_Volumes ADD COLUMN RowDigest BLOB NOT NULL DEFAULT x'';
ALTER TABLE RecoveryAndHardwareCore_Keys ADD COLUMN RowDigest BLOB NOT NULL DEFAULT x'';
UPDATE RecoveryAndHardwareCore_Keys AS k SET RowDigest = key_digest(${keyFields});
UPDATE RecoveryAndHardwareCore_Machines_Volumes AS mv SET RowDigest =
  (SELECT link_digest(${linkFields})
     FROM RecoveryAndHardwareCore_Machines m CROSS JOIN RecoveryAndHardwareCore_Volumes v
    WHERE m.Id = mv.MachineId AND v.Id = mv.VolumeId);
`;

/**
 * Brings an older database to this version, all in one transaction: version 1 gets the digests of its rows, versions 1 and 2 what seals all
 * of them, as they stand. What was changed or taken away before stays so: nothing in such a file tells. Where an older copy is brought
 * here a second time, the record tells.
 *
 * @param keyCheck the master key's check for this version, without which the file could be passed off as an older one again
 */
export const raiseVersion = (
  database: DatabaseSync,
  { digests, set, keyCheck }: { readonly digests: RowDigests; readonly set: RowSet; readonly keyCheck: Uint8Array },
): void =>
  writeTransaction(database, () => {
    // Another process may have been first, and its rows must not be vouched for twice.
    const version = versionOf(database);
    if (version === schemaVersion) return;
    if (version === versionWithoutDigests) database.exec(addDigestsSql);
    database.exec(rowSetTable);
    const { keys, links, sum } = walkAllRows({ database, digests, elementKey: set.elementKey });
    writeSealed(database, set.seal({ counter: 1, keys, links, sum, before: "" }));
    database.prepare("UPDATE sys_symmetric_keys SET key_check = ? WHERE name = ?").run(keyCheck, masterKeyName);
    database.exec(`PRAGMA user_version = ${schemaVersion}`);
  });
