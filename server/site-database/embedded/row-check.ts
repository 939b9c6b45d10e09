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

/** Makes the checks of a walk; each walk has its own, because it remembers what it has seen. */
export const prepareRowCheck = (database: DatabaseSync, digests: RowDigests): (() => RowCheck) => {
  const table = "RecoveryAndHardwareCore_Keys";
  const keysOfVolume = prepareArrays(
    database,
    `SELECT ${keyFields}, hex(k.RowDigest) FROM ${table} k WHERE k.VolumeId = ?`,
  );
  const keysOfComputer = prepareArrays(database, everyKeyOfMachine);

  const checkKey = (fields: readonly unknown[], digest: unknown): void => {
    if (!isDigest(digest, digests.ofKey(fields))) throw changed(`Keys row ${String(fields[0])} (${String(fields[1])})`);
  };
  const checkKeyRow = (row: RawRow): void => checkKey(row.slice(0, -1), row.at(-1));

  return () => {
    let sound: RawRow | undefined;
    let newestOfVolume: { readonly volumeId: unknown; readonly time: number } | undefined;
    /** By kind of volume. */
    let newestOfComputer: { readonly machineId: unknown; readonly times: ReadonlyMap<unknown, number> } | undefined;

    const checkLink = (row: RawRow): void => {
      if (linkColumns.every((column) => sound?.[column] === row[column])) return;
      const fields = linkColumns.map((column) => row[column]);
      if (row[at.linkVolumeId] !== row[at.volumeId] || !isDigest(row[at.linkDigest], digests.ofLink(fields)))
        throw changed(`the link of machine ${String(fields[0])} to volume ${String(row[at.linkVolumeId])}`);
      sound = row;
    };

    const check: RowCheck["check"] = (row) => {
      if (row[at.keyId] !== null)
        checkKey(
          [
            row[at.keyId],
            row[at.recoveryKeyId],
            row[at.volumeId],
            row[at.protectorKind],
            row[at.lastUpdateTime],
            row[at.lastUpdateTimeGiven],
          ],
          row[at.keyDigest],
        );
      // A computer without a volume has no link; a key always has one.
      if (row[at.linkVolumeId] !== null) checkLink(row);
      else if (row[at.keyId] !== null)
        throw changed(`Keys row ${String(row[at.keyId])} belongs to no computer: its link`);
    };

    const timeOfVolume = (volumeId: unknown): number => {
      if (newestOfVolume !== undefined && newestOfVolume.volumeId === volumeId) return newestOfVolume.time;
      let time = Number.NEGATIVE_INFINITY;
      for (const row of keysOfVolume(volumeId as number)) {
        // a number, as its digest says
        checkKeyRow(row);
        const [, , , kind, lastUpdateTime] = row as readonly number[]; // integers, as the row's digest says
        if (kind === protectorKinds.NumericalPassword) time = Math.max(time, lastUpdateTime ?? time);
      }
      newestOfVolume = { volumeId, time };
      return time;
    };

    const timesOfComputer = (machineId: unknown): ReadonlyMap<unknown, number> => {
      if (newestOfComputer !== undefined && newestOfComputer.machineId === machineId) return newestOfComputer.times;
      const times = new Map<unknown, number>();
      for (const row of keysOfComputer(machineId as number)) {
        // a number, as its digest says
        check(row);
        if (row[at.keyId] === null) continue;
        const lastUpdateTime = row[at.lastUpdateTime] as number; // an integer, as its digest says
        times.set(row[at.volumeTypeId], Math.max(times.get(row[at.volumeTypeId]) ?? lastUpdateTime, lastUpdateTime));
      }
      newestOfComputer = { machineId, times };
      return times;
    };

    return {
      check,
      newestTime: (row) =>
        row[at.derived] === 0
          ? timeOfVolume(row[at.volumeId])
          : (timesOfComputer(row[at.machineId]).get(row[at.volumeTypeId]) ?? Number.NEGATIVE_INFINITY),
    };
  };
};
