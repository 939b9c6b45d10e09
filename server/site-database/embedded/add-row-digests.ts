import type { DatabaseSync } from "node:sqlite";
import { versionOf, writeTransaction } from "./connection.ts";
import { keyFields, linkFields } from "./row-digests.ts";
import { masterKeyName, schemaVersion } from "./schema.ts";

/**
 * Version 1 → 2: gives each row of an older database its digest, as it stands, all in one transaction. What was changed before
 * stays changed: nothing in such a file tells.
 *
 * @param keyCheck the master key's check for version 2, without which the file could be passed off as an older one again
 */
export const addRowDigests = (database: DatabaseSync, keyCheck: Uint8Array): void =>
  writeTransaction(database, () => {
    // Another process may have been first, and its rows must not be vouched for twice.
    if (versionOf(database) === schemaVersion) return;
    database.exec(`
      ALTER TABLE RecoveryAndHardwareCore_Machines_Volumes ADD COLUMN RowDigest BLOB NOT NULL DEFAULT x'';
      ALTER TABLE RecoveryAndHardwareCore_Keys ADD COLUMN RowDigest BLOB NOT NULL DEFAULT x'';
      UPDATE RecoveryAndHardwareCore_Keys AS k SET RowDigest = key_digest(${keyFields});
      UPDATE RecoveryAndHardwareCore_Machines_Volumes AS mv SET RowDigest =
        (SELECT link_digest(${linkFields})
           FROM RecoveryAndHardwareCore_Machines m CROSS JOIN RecoveryAndHardwareCore_Volumes v
          WHERE m.Id = mv.MachineId AND v.Id = mv.VolumeId);
    `);
    database.prepare("UPDATE sys_symmetric_keys SET key_check = ? WHERE name = ?").run(keyCheck, masterKeyName);
    database.exec(`PRAGMA user_version = ${schemaVersion}`);
  });
