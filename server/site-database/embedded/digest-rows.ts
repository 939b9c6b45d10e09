import type { DatabaseSync } from "node:sqlite";
import { inPortions } from "./portions.ts";
import { keyFields, linkFields } from "./row-digests.ts";

const keys = "RecoveryAndHardwareCore_Keys";
const links = "RecoveryAndHardwareCore_Machines_Volumes";

// Over a connection with `addDigestFunctions`; each takes the WHERE of its caller's.
export const setKeyDigest = `UPDATE ${keys} AS k SET RowDigest = key_digest(${keyFields})`;
export const setLinkDigest = `UPDATE ${links} AS mv SET RowDigest =
  (SELECT link_digest(${linkFields}) FROM RecoveryAndHardwareCore_Machines m CROSS JOIN RecoveryAndHardwareCore_Volumes v
    WHERE m.Id = mv.MachineId AND v.Id = mv.VolumeId)`;

/** Gives every row the digest of what it says. Part of a transaction of its caller's. */
export const digestAllRows = (database: DatabaseSync): void => {
  const key = database.prepare(`${setKeyDigest} WHERE k.Id > ? AND k.Id <= ?`);
  inPortions(database, keys, "Id", (after, upTo) => void key.run(after, upTo));
  const link = database.prepare(`${setLinkDigest} WHERE mv.VolumeId > ? AND mv.VolumeId <= ?`);
  inPortions(database, links, "VolumeId", (after, upTo) => void link.run(after, upTo));
};
