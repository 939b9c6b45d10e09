import type { DatabaseSync } from "node:sqlite";
import type { RawRow } from "./columns.ts";
import { prepareArrays } from "./connection.ts";
import { UnreadableCell } from "./failures.ts";
import { at, everyKeyOfMachine } from "./key-pages.ts";
import { isDigest, keyFields } from "./row-digests.ts";
import type { RowDigests } from "./row-digests.ts";
import { protectorKinds } from "./schema.ts";

const linkColumns = [
  at.machineId,
  at.name,
  at.nameFolded,
  at.volumeId,
  at.volumeGuid,
  at.volumeTypeId,
  at.derived,
] as const;

const changed = (what: string): UnreadableCell =>
  new UnreadableCell(`${what} was changed by somebody without the master key, or is damaged`);

/** The checks of one walk. */
export interface RowCheck {
  /**
   * Throws `UnreadableCell` unless what a page's row says of computer, volume, kind and time is what an import wrote. A password passed off
   * as another kind of protector is missing from the page, as a removed row is: `SetGuard` finds both. Asking for the other protectors of
   * each link would find it a moment sooner, and took 11 of 31 µs a key.
   */
  readonly check: (row: RawRow) => void;
  /**
   * When the newest password was stored of the volume that a row names; where it is made up, of all that the row's computer has of the
   * same kind of volume. Every row that has a say is checked: any of them may claim to be the newest.
   */
  readonly newestTime: (row: RawRow) => number;
}

const changedKey = ([id, keyId]: readonly unknown[]): UnreadableCell =>
  changed(`Keys row ${String(id)} (${String(keyId)})`);

type Check = RowCheck["check"];

/** Checks rows, and remembers the link that it found sound last. */
const startCheck = (digests: RowDigests): Check => {
  let sound: RawRow | undefined;
  const checkLink = (row: RawRow): void => {
    if (linkColumns.every((column) => sound?.[column] === row[column])) return;
    const fields = linkColumns.map((column) => row[column]);
    if (row[at.linkVolumeId] !== row[at.volumeId] || !isDigest(row[at.linkDigest], digests.ofLink(fields)))
      throw changed(`the link of machine ${String(fields[0])} to volume ${String(row[at.linkVolumeId])}`);
    sound = row;
  };
  return (row) => {
    if (row[at.keyId] !== null) {
      const fields = [
        row[at.keyId],
        row[at.recoveryKeyId],
        row[at.volumeId],
        row[at.protectorKind],
        row[at.lastUpdateTime],
        row[at.lastUpdateTimeGiven],
      ];
      if (!isDigest(row[at.keyDigest], digests.ofKey(fields))) throw changedKey(fields);
    }
    // A computer without a volume has no link; a key always has one.
    if (row[at.linkVolumeId] !== null) checkLink(row);
    else if (row[at.keyId] !== null)
      throw changed(`Keys row ${String(row[at.keyId])} belongs to no computer: its link`);
  };
};

/** Makes the checks of a walk; each walk has its own, because it remembers what it has seen. */
export const prepareRowCheck = (database: DatabaseSync, digests: RowDigests): (() => RowCheck) => {
  const keysOfVolume = prepareArrays(
    database,
    `SELECT ${keyFields}, hex(k.RowDigest) FROM RecoveryAndHardwareCore_Keys k WHERE k.VolumeId = ?`,
  );
  const keysOfComputer = prepareArrays(database, everyKeyOfMachine);

  const newestOfVolume = (volumeId: number): number => {
    let time = Number.NEGATIVE_INFINITY;
    for (const row of keysOfVolume(volumeId)) {
      const fields = row.slice(0, -1);
      if (!isDigest(row.at(-1), digests.ofKey(fields))) throw changedKey(fields);
      const [, , , kind, lastUpdateTime] = row as readonly number[]; // integers, as the row's digest says
      if (kind === protectorKinds.NumericalPassword) time = Math.max(time, lastUpdateTime ?? time);
    }
    return time;
  };

  /** By kind of volume. */
  const newestOfComputer = (machineId: number, check: Check): ReadonlyMap<unknown, number> => {
    const times = new Map<unknown, number>();
    for (const row of keysOfComputer(machineId)) {
      check(row);
      if (row[at.keyId] === null) continue;
      const lastUpdateTime = row[at.lastUpdateTime] as number; // an integer, as its digest says
      times.set(row[at.volumeTypeId], Math.max(times.get(row[at.volumeTypeId]) ?? lastUpdateTime, lastUpdateTime));
    }
    return times;
  };

  return () => {
    const check = startCheck(digests);
    let lastVolume: { readonly id: unknown; readonly time: number } | undefined;
    let lastComputer: { readonly id: unknown; readonly times: ReadonlyMap<unknown, number> } | undefined;
    return {
      check,
      newestTime: (row) => {
        // Ids are numbers, as the row's digest says.
        if (row[at.derived] === 0) {
          const id = row[at.volumeId];
          if (lastVolume === undefined || lastVolume.id !== id) lastVolume = { id, time: newestOfVolume(id as number) };
          return lastVolume.time;
        }
        const id = row[at.machineId];
        if (lastComputer === undefined || lastComputer.id !== id)
          lastComputer = { id, times: newestOfComputer(id as number, check) };
        return lastComputer.times.get(row[at.volumeTypeId]) ?? Number.NEGATIVE_INFINITY;
      },
    };
  };
};
