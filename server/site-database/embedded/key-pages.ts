import type { DatabaseSync } from "node:sqlite";
import type { RecoveryKeyQuery } from "../../command/site-database.ts";
import { foldComputerName } from "../../model/computer-name.ts";
import { decodeInteger, decodeText } from "./columns.ts";
import type { RawRow } from "./columns.ts";
import { prepareArrays } from "./connection.ts";
import type { ArrayQuery } from "./connection.ts";
import { protectorKinds } from "./schema.ts";

/*
 * Reading in pages, each a short query of its own that starts behind the last row of the page before.
 *
 * Not one open cursor over everything: a reader may be as slow as its SSH client, and an open cursor would pin the
 * write-ahead log for all that time (it could not be reset) and make our own marks fail with SQLITE_BUSY_SNAPSHOT.
 * Not OFFSET either: it reads and throws away everything before the page.
 * A page's limit counts rows looked at, not rows that match: SQLite runs on our event loop, so a filter that matches
 * one key in ten million must not hold it for seconds. That is also why the joins are LEFT: an empty machine counts too.
 */

/** Rows fetched in one go, about a millisecond: the same on the server's thread and in one of its own, so that a batch is one. */
export const pageRows = 256;

/** Positions of the columns of a page's rows. */
export const at = {
  machineId: 0,
  nameFolded: 1,
  name: 2,
  volumeId: 3,
  volumeGuid: 4,
  volumeTypeId: 5,
  keyId: 6,
  recoveryKeyId: 7,
  lastUpdateTime: 8,
  disclosed: 9,
  protectorKind: 10,
  derived: 11,
  linkVolumeId: 12,
  linkDigest: 13,
  lastUpdateTimeGiven: 14,
  keyDigest: 15,
  recoveryKey: 16,
  fingerprint: 17,
} as const;

const columns = (withCells: boolean): string =>
  `m.Id, m.NameFolded, m.Name, v.Id, v.VolumeGuid, v.VolumeTypeId, k.Id, k.RecoveryKeyId, k.LastUpdateTime, k.Disclosed,
   k.ProtectorKind, v.Derived, mv.VolumeId, hex(mv.RowDigest), k.LastUpdateTimeGiven, hex(k.RowDigest),
   ${withCells ? "k.RecoveryKey, CASE typeof(k.RecoveryKey) WHEN 'text' THEN hex(k.Fingerprint) END" : "NULL, NULL"}`;

const password = protectorKinds.NumericalPassword;
const machines = "RecoveryAndHardwareCore_Machines";
const links = "RecoveryAndHardwareCore_Machines_Volumes";
const volumes = "RecoveryAndHardwareCore_Volumes";
const keys = "RecoveryAndHardwareCore_Keys";

// CROSS JOIN is SQLite's way to fix the order of the loops: the indexes then give the order wanted, without a sort.
const fromMachine = `FROM ${machines} m
  LEFT JOIN ${links} mv ON mv.MachineId = m.Id
  LEFT JOIN ${volumes} v ON v.Id = mv.VolumeId
  LEFT JOIN ${keys} k ON k.VolumeId = mv.VolumeId AND k.ProtectorKind = ${password}`;
const machineOrder = "ORDER BY m.NameFolded, mv.VolumeId, k.LastUpdateTime DESC, k.Id DESC LIMIT ? + 0";

const fromKey = `FROM ${keys} k
  CROSS JOIN ${volumes} v ON v.Id = k.VolumeId
  LEFT JOIN ${links} mv ON mv.VolumeId = k.VolumeId
  LEFT JOIN ${machines} m ON m.Id = mv.MachineId`;

/**
 * The texts of the page queries; exported for the test that no plan of theirs sorts or scans.
 * `LIMIT ?` alone would be planned anew at each call: SQLite looks at the value bound there, and a look-up then takes 45 µs instead of 6.
 */
export const pageQueries = (withCells: boolean) =>
  ({
    machinesAfter: `SELECT ${columns(withCells)} ${fromMachine} WHERE m.NameFolded > ? ${machineOrder}`,
    machineNamed: `SELECT ${columns(withCells)} ${fromMachine} WHERE m.NameFolded = ? ${machineOrder}`,
    restOfMachine: `SELECT ${columns(withCells)} ${fromMachine} WHERE m.Id = ? AND mv.VolumeId > ?
      ORDER BY mv.VolumeId, k.LastUpdateTime DESC, k.Id DESC LIMIT ? + 0`,
    restOfVolume: `SELECT ${columns(withCells)} FROM ${machines} m CROSS JOIN ${volumes} v
      CROSS JOIN ${links} mv ON mv.MachineId = m.Id AND mv.VolumeId = v.Id CROSS JOIN ${keys} k
      WHERE m.Id = ? AND v.Id = ? AND k.VolumeId = ? AND k.ProtectorKind = ${password}
        AND (k.LastUpdateTime, k.Id) < (?, ?)
      ORDER BY k.LastUpdateTime DESC, k.Id DESC LIMIT ? + 0`,
    keysFrom: `SELECT ${columns(withCells)} ${fromKey} WHERE k.RecoveryKeyId >= ? AND k.RecoveryKeyId < ?
      ORDER BY k.RecoveryKeyId, mv.MachineId LIMIT ? + 0`,
    restOfKey: `SELECT ${columns(withCells)} ${fromKey} WHERE k.Id = ? AND mv.MachineId > ? ORDER BY mv.MachineId LIMIT ? + 0`,
  }) as const;

/** Every key of one computer, without cells: what decides which is its newest. A computer has few. */
export const everyKeyOfMachine = `SELECT ${columns(false)} ${fromMachine} WHERE m.Id = ?`;

/** Behind the columns of a page's row. */
export const otherProtectorColumns = { fileName: 18, thumbprint: 19 } as const;

/** What else opens the volumes of one computer. A computer has few. */
export const otherProtectorsOfMachine = `SELECT ${columns(false)}, k.FileName, k.CertificateThumbprint FROM ${machines} m
  CROSS JOIN ${links} mv ON mv.MachineId = m.Id CROSS JOIN ${volumes} v ON v.Id = mv.VolumeId
  CROSS JOIN ${keys} k ON k.VolumeId = mv.VolumeId AND k.ProtectorKind > ${password}
  WHERE m.Id = ? ORDER BY mv.VolumeId, k.ProtectorKind, k.LastUpdateTime DESC, k.Id DESC`;

type PageQueries = Readonly<Record<keyof ReturnType<typeof pageQueries>, ArrayQuery>>;

/** Where a walk stands; another connection goes on from it. Holds no cell. */
export interface KeyPosition {
  /** Of the names or ids asked for, those that are done. */
  readonly done: number;
  readonly last: RawRow | undefined;
}

export interface KeyWalk {
  /**
   * Gives the next page of at most `limit` rows; an empty page is the end.
   * When it throws, its position has not moved: it is called again once a lock is free.
   */
  readonly next: (limit: number) => readonly RawRow[];
  readonly position: () => KeyPosition;
}

export interface KeyPages {
  /**
   * A walk over every row that may belong to the query, in a stable order. Its rows are candidates, not answers.
   *
   * @param from where another walk of the same query stood
   */
  start(query: RecoveryKeyQuery, withCells: boolean, from?: KeyPosition): KeyWalk;
  /** A key's rows, one for each of its computers, without cells. */
  rowsOfKey(wholeId: string): readonly RawRow[];
}

const beginning: KeyPosition = { done: 0, last: undefined };

const positionAt = (done: number, last: RawRow | undefined): KeyPosition => ({
  done,
  last: last?.with(at.recoveryKey, null),
});

const byCodeUnit = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

/** What is left of the machine that `row` belongs to, behind `row`. */
const restOfMachine = (pages: PageQueries, row: RawRow, limit: number): readonly RawRow[] => {
  const machineId = decodeInteger(row[at.machineId], "Machines.Id");
  // A machine without a volume: LEFT JOIN gave its one row.
  if (row[at.volumeId] === null) return [];
  const volumeId = decodeInteger(row[at.volumeId], "Volumes.Id");
  const sameVolume =
    row[at.keyId] === null
      ? []
      : pages.restOfVolume(
          machineId,
          volumeId,
          volumeId,
          decodeInteger(row[at.lastUpdateTime], "LastUpdateTime"),
          decodeInteger(row[at.keyId], "Keys.Id"),
          limit,
        );
  if (sameVolume.length >= limit) return sameVolume;
  return [...sameVolume, ...pages.restOfMachine(machineId, volumeId, limit - sameVolume.length)];
};

const walkAllMachines = (pages: PageQueries, from: KeyPosition): KeyWalk => {
  let { last } = from;
  const next = (limit: number): readonly RawRow[] => {
    const rest = last === undefined ? [] : restOfMachine(pages, last, limit);
    const lastName = last === undefined ? "" : decodeText(last[at.nameFolded], "Machines.NameFolded");
    const rows = rest.length >= limit ? rest : [...rest, ...pages.machinesAfter(lastName, limit - rest.length)];
    last = rows.at(-1) ?? last;
    return rows;
  };
  return { next, position: () => positionAt(0, last) };
};

const walkNamedMachines = (pages: PageQueries, names: readonly string[], from: KeyPosition): KeyWalk => {
  const folded = [...new Set(names.map(foldComputerName))].sort(byCodeUnit);
  let { done, last } = from;
  const next = (limit: number): readonly RawRow[] => {
    let following = done;
    const rows = last === undefined ? [] : [...restOfMachine(pages, last, limit)];
    for (let name = folded[following]; rows.length < limit && name !== undefined; name = folded[following]) {
      rows.push(...pages.machineNamed(name, limit - rows.length));
      following += 1;
    }
    done = following;
    last = rows.at(-1) ?? last;
    return rows;
  };
  return { next, position: () => positionAt(done, last) };
};

const wholeKeyId = 36;

const walkKeyIds = (pages: PageQueries, ids: readonly string[], position: KeyPosition): KeyWalk => {
  // A prefix covers every longer one, which sorts right behind it: leaving those out keeps a key from coming twice.
  const prefixes: string[] = [];
  for (const id of [...ids].sort(byCodeUnit)) {
    const before = prefixes.at(-1);
    if (before === undefined || !id.startsWith(before)) prefixes.push(id);
  }
  let { done, last } = position;
  const next = (limit: number): readonly RawRow[] => {
    let following = done;
    const rows: RawRow[] = [];
    if (last !== undefined && last[at.machineId] !== null) {
      const machineId = decodeInteger(last[at.machineId], "Machines.Id");
      rows.push(...pages.restOfKey(decodeInteger(last[at.keyId], "Keys.Id"), machineId, limit));
    }
    for (let prefix = prefixes[following]; rows.length < limit && prefix !== undefined; prefix = prefixes[following]) {
      const lastId = last === undefined ? "" : decodeText(last[at.recoveryKeyId], "RecoveryKeyId");
      // A space sorts before every digit and hyphen: the smallest text behind the last id of this prefix.
      const from = lastId.startsWith(prefix) ? `${lastId} ` : prefix;
      // "G" sorts behind every hexadecimal digit and the hyphen.
      const below = prefix.length === wholeKeyId ? `${prefix} ` : `${prefix}G`;
      const found = pages.keysFrom(from, below, limit - rows.length);
      rows.push(...found);
      if (rows.length < limit) following += 1;
    }
    done = following;
    last = rows.at(-1) ?? last;
    return rows;
  };
  return { next, position: () => positionAt(done, last) };
};

export const prepareKeyPages = (database: DatabaseSync): KeyPages => {
  const prepare = (withCells: boolean): PageQueries => {
    const texts = pageQueries(withCells);
    return {
      machinesAfter: prepareArrays(database, texts.machinesAfter),
      machineNamed: prepareArrays(database, texts.machineNamed),
      restOfMachine: prepareArrays(database, texts.restOfMachine),
      restOfVolume: prepareArrays(database, texts.restOfVolume),
      keysFrom: prepareArrays(database, texts.keysFrom),
      restOfKey: prepareArrays(database, texts.restOfKey),
    };
  };
  const withCells = prepare(true);
  const withoutCells = prepare(false);
  return {
    start: (query, cells, from = beginning) => {
      const pages = cells ? withCells : withoutCells;
      if (query.passwordIds !== undefined) return walkKeyIds(pages, query.passwordIds, from);
      if (query.computerNames !== undefined) return walkNamedMachines(pages, query.computerNames, from);
      return walkAllMachines(pages, from);
    },
    rowsOfKey: (wholeId) => withoutCells.keysFrom(wholeId, `${wholeId} `, pageRows),
  };
};
