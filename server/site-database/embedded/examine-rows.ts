import type { DatabaseSync } from "node:sqlite";
import { randomInt } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { decodeInteger, decodeText } from "./columns.ts";
import type { RawRow } from "./columns.ts";
import { prepareArrays, withLockPatience } from "./connection.ts";
import type { LockPatience } from "./connection.ts";
import { keyFields, linkFields } from "./row-digests.ts";

export interface RowsExamined {
  readonly looked: number;
  readonly wrong: number;
  /** The first wrong row, for the administrator. */
  readonly first?: string;
}

const keys = "RecoveryAndHardwareCore_Keys";
const links = "RecoveryAndHardwareCore_Machines_Volumes";

// A key, whether it is as its digest says, and whether each of its volume's links is. A key without a link belongs to no computer.
const keysSql = `
SELECT k.Id, k.RecoveryKeyId,
       k.RowDigest IS key_digest(${keyFields})
       AND EXISTS (SELECT 1 FROM ${links} mv WHERE mv.VolumeId = k.VolumeId)
       AND NOT EXISTS (SELECT 1 FROM ${links} mv LEFT JOIN RecoveryAndHardwareCore_Machines m ON m.Id = mv.MachineId
                         LEFT JOIN RecoveryAndHardwareCore_Volumes v ON v.Id = mv.VolumeId
                        WHERE mv.VolumeId = k.VolumeId AND mv.RowDigest IS NOT link_digest(${linkFields}))
  FROM ${keys} k WHERE k.Id > ? ORDER BY k.Id LIMIT ?`;

const linksSql = `
SELECT mv.MachineId, mv.VolumeId, mv.RowDigest IS link_digest(${linkFields})
  FROM ${links} mv LEFT JOIN RecoveryAndHardwareCore_Machines m ON m.Id = mv.MachineId
  LEFT JOIN RecoveryAndHardwareCore_Volumes v ON v.Id = mv.VolumeId
 WHERE (mv.MachineId, mv.VolumeId) > (?, ?) ORDER BY mv.MachineId, mv.VolumeId LIMIT ?`;

/** Some milliseconds: others run in between. */
const rowsAtATime = 200;
const samples = 20;

/**
 * Compares rows with their digests. A sample is 20 runs of 200 keys with the links of their volumes, from random places, or
 * every key where there are no more than that.
 */
export const examineRows = async (
  database: DatabaseSync,
  whole: boolean,
  patience: LockPatience,
): Promise<RowsExamined> => {
  const keyPage = prepareArrays(database, keysSql);
  const linkPage = prepareArrays(database, linksSql);
  let looked = 0;
  let wrong = 0;
  let first: string | undefined;
  const note = (rows: readonly RawRow[], name: (row: RawRow) => string): RawRow | undefined => {
    looked += rows.length;
    const bad = rows.filter((row) => row[2] !== 1);
    wrong += bad.length;
    if (bad[0] !== undefined) first ??= name(bad[0]);
    return rows.at(-1);
  };
  const lookAtKeys = async (after: number): Promise<number | undefined> => {
    const rows = await withLockPatience(patience, () => keyPage(after, rowsAtATime));
    const last = note(rows, (row) => `the row of key ${decodeText(row[1], "RecoveryKeyId")}, or a link of its volume`);
    await nextTurn();
    return last === undefined ? undefined : decodeInteger(last[0], "Keys.Id");
  };

  const [range] = await withLockPatience(patience, () =>
    prepareArrays(database, `SELECT coalesce(min(Id), 0), coalesce(max(Id), 0) FROM ${keys}`)(),
  );
  const least = decodeInteger(range?.[0], "Keys.Id");
  const most = decodeInteger(range?.[1], "Keys.Id");
  if (!whole && most - least > samples * rowsAtATime) {
    for (let sample = 0; sample < samples; sample += 1) await lookAtKeys(least - 1 + randomInt(most - least + 1));
    return { looked, wrong, ...(first === undefined ? {} : { first }) };
  }
  for (let after: number | undefined = Number.MIN_SAFE_INTEGER; after !== undefined;) after = await lookAtKeys(after);
  // Links of volumes without a key, too.
  for (let machine = Number.MIN_SAFE_INTEGER, volume = machine; ; await nextTurn()) {
    const from = [machine, volume] as const;
    const rows = await withLockPatience(patience, () => linkPage(...from, rowsAtATime));
    const last = note(rows, (row) => `the link of computer row ${String(row[0])} to volume row ${String(row[1])}`);
    if (last === undefined) break;
    machine = decodeInteger(last[0], "MachineId");
    volume = decodeInteger(last[1], "VolumeId");
  }
  return { looked, wrong, ...(first === undefined ? {} : { first }) };
};
