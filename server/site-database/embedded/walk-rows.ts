import type { KeyObject } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { setImmediate as nextTurn } from "node:timers/promises";
import { decodeInteger } from "./columns.ts";
import type { RawRow } from "./columns.ts";
import { prepareArrays } from "./connection.ts";
import { throwIfStopped } from "./failures.ts";
import { isDigest, keyFields, linkFields } from "./row-digests.ts";
import type { RowDigests } from "./row-digests.ts";
import { RowSum } from "./row-set.ts";

export interface RowsExamined {
  readonly looked: number;
  readonly wrong: number;
  /** The first wrong row, for the administrator. */
  readonly first?: string;
}

/** Every row, looked at. A row whose own digest is wrong is counted as wrong, and belongs to no set. */
export interface RowsWalked extends RowsExamined {
  /** Rows with a good digest. */
  readonly keys: number;
  readonly links: number;
  /** Of these rows. */
  readonly sum: string;
}

const keys = "RecoveryAndHardwareCore_Keys";
const links = "RecoveryAndHardwareCore_Machines_Volumes";

// A key without a link belongs to no computer.
const keysSql = `
SELECT ${keyFields}, hex(k.RowDigest), EXISTS (SELECT 1 FROM ${links} mv WHERE mv.VolumeId = k.VolumeId)
  FROM ${keys} k WHERE k.Id > ? ORDER BY k.Id LIMIT ?`;

const linksSql = `
SELECT ${linkFields}, hex(mv.RowDigest), mv.MachineId, mv.VolumeId
  FROM ${links} mv LEFT JOIN RecoveryAndHardwareCore_Machines m ON m.Id = mv.MachineId
  LEFT JOIN RecoveryAndHardwareCore_Volumes v ON v.Id = mv.VolumeId
 WHERE (mv.MachineId, mv.VolumeId) > (?, ?) ORDER BY mv.MachineId, mv.VolumeId LIMIT ?`;

const keyFieldCount = keyFields.split(",").length;
const linkFieldCount = linkFields.split(",").length;

/** Some milliseconds: others run in between. */
const rowsAtATime = 200;

interface WalkParts {
  readonly database: DatabaseSync;
  readonly digests: RowDigests;
  readonly elementKey: KeyObject;
}

/** Looks at every row, a page at a time: who asks for the next one may do something else in between. All of it in one transaction. */
function* walkRows({ database, digests, elementKey }: WalkParts): Generator<void, RowsWalked, void> {
  const sum = new RowSum(elementKey);
  const keyPage = prepareArrays(database, keysSql);
  const linkPage = prepareArrays(database, linksSql);
  let wrong = 0;
  let first: string | undefined;
  let unsoundKeys = 0;
  let unsoundLinks = 0;

  /** @returns how many rows have no good digest */
  const take = (
    rows: readonly RawRow[],
    fieldCount: number,
    digestOf: (fields: readonly unknown[]) => string,
    nameIfWrong: (row: RawRow, isSound: boolean) => string | undefined,
  ): number => {
    const sound: Uint8Array[] = [];
    for (const row of rows) {
      const expected = digestOf(row.slice(0, fieldCount));
      const isSound = isDigest(row[fieldCount], expected);
      if (isSound) sound.push(Buffer.from(expected, "hex"));
      const name = nameIfWrong(row, isSound);
      if (name === undefined) continue;
      wrong += 1;
      first ??= name;
    }
    sum.add(sound);
    return rows.length - sound.length;
  };

  for (let after = Number.MIN_SAFE_INTEGER; ;) {
    const rows = keyPage(after, rowsAtATime);
    const last = rows.at(-1);
    if (last === undefined) break;
    unsoundKeys += take(rows, keyFieldCount, digests.ofKey, (row, isSound) =>
      isSound && row.at(-1) === 1 ? undefined : `the row of key ${String(row[1])}, or its volume's link`,
    );
    after = decodeInteger(last[0], "Keys.Id");
    yield;
  }
  for (let machine = Number.MIN_SAFE_INTEGER, volume = machine; ;) {
    const rows = linkPage(machine, volume, rowsAtATime);
    const last = rows.at(-1);
    if (last === undefined) break;
    unsoundLinks += take(rows, linkFieldCount, digests.ofLink, (row, isSound) =>
      isSound ? undefined : `the link of computer row ${String(row.at(-2))} to volume row ${String(row.at(-1))}`,
    );
    machine = decodeInteger(last.at(-2), "MachineId");
    volume = decodeInteger(last.at(-1), "VolumeId");
    yield;
  }
  // Counted, not added up: a table that was made anew may have rows with one key, and a page's end would pass one over.
  const [counted] = prepareArrays(database, `SELECT (SELECT count(*) FROM ${keys}), (SELECT count(*) FROM ${links})`)();
  const allKeys = decodeInteger(counted?.[0], "count");
  const allLinks = decodeInteger(counted?.[1], "count");
  return {
    looked: allKeys + allLinks,
    wrong,
    ...(first === undefined ? {} : { first }),
    keys: allKeys - unsoundKeys,
    links: allLinks - unsoundLinks,
    sum: sum.text,
  };
}

/** Walks all rows; others run in between. @throws EndpointError OperationStopped */
export const walkRowsInTurns = async (parts: WalkParts, signal: AbortSignal): Promise<RowsWalked> => {
  const walk = walkRows(parts);
  for (;;) {
    const step = walk.next();
    if (step.done === true) return step.value;
    await nextTurn();
    throwIfStopped(signal);
  }
};

/** Walks all rows at once. */
export const walkAllRows = (parts: WalkParts): RowsWalked => {
  const walk = walkRows(parts);
  for (let step = walk.next(); ; step = walk.next()) if (step.done === true) return step.value;
};
