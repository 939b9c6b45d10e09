import type { DatabaseSync } from "node:sqlite";
import { randomInt } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { decodeInteger, decodeText } from "./columns.ts";
import { prepareArrays, withLockPatience } from "./connection.ts";
import type { LockPatience } from "./connection.ts";
import { keyFields, linkFields } from "./row-digests.ts";
import type { RowsExamined } from "./walk-rows.ts";

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

/** Some milliseconds: others run in between. */
const rowsAtATime = 200;
const samples = 20;

/** Compares a sample of the rows with their digests: 20 runs of 200 keys with the links of their volumes, from random places. */
export const examineSample = async (database: DatabaseSync, patience: LockPatience): Promise<RowsExamined> => {
  const keyPage = prepareArrays(database, keysSql);
  const [range] = await withLockPatience(patience, () =>
    prepareArrays(database, `SELECT coalesce(min(Id), 0), coalesce(max(Id), 0) FROM ${keys}`)(),
  );
  const least = decodeInteger(range?.[0], "Keys.Id");
  const most = decodeInteger(range?.[1], "Keys.Id");
  let looked = 0;
  let wrong = 0;
  let first: string | undefined;
  const lookAtKeys = async (after: number): Promise<number | undefined> => {
    const rows = await withLockPatience(patience, () => keyPage(after, rowsAtATime));
    const bad = rows.filter((row) => row[2] !== 1);
    looked += rows.length;
    wrong += bad.length;
    if (bad[0] !== undefined)
      first ??= `the row of key ${decodeText(bad[0][1], "RecoveryKeyId")}, or a link of its volume`;
    await nextTurn();
    const last = rows.at(-1);
    return last === undefined ? undefined : decodeInteger(last[0], "Keys.Id");
  };
  if (most - least > samples * rowsAtATime) {
    for (let sample = 0; sample < samples; sample += 1) await lookAtKeys(least - 1 + randomInt(most - least + 1));
  } else {
    for (let after: number | undefined = Number.MIN_SAFE_INTEGER; after !== undefined;) after = await lookAtKeys(after);
  }
  return { looked, wrong, ...(first === undefined ? {} : { first }) };
};
