import type { DatabaseSync } from "node:sqlite";
import type { KeyState, ListedKey, RecoveryKey, RecoveryKeyQuery, VolumeType } from "../../command/site-database.ts";
import { canonicalRecoveryPassword } from "../../model/recovery-password.ts";
import { cellKinds } from "./cell-kinds.ts";
import type { DataKeys } from "./cells.ts";
import { decodeInteger, decodeText, decodeTime } from "./columns.ts";
import type { RawRow } from "./columns.ts";
import { foldComputerName } from "../../model/computer-name.ts";
import { UnreadableCell } from "./failures.ts";
import { at } from "./key-pages.ts";
import { prepareRowCheck } from "./row-check.ts";
import type { RowCheck } from "./row-check.ts";
import type { RowDigests } from "./row-digests.ts";
import { protectorKinds, volumeTypeIds } from "./schema.ts";
import { openStored } from "./stored-secrets.ts";
import type { StoragePolicy, StoredSecret } from "./stored-secrets.ts";

const volumeTypeNames: ReadonlyMap<number, VolumeType> = new Map<number, VolumeType>([
  [volumeTypeIds.Unknown, "Unknown"],
  [volumeTypeIds.OperatingSystem, "OperatingSystem"],
  [volumeTypeIds.FixedData, "FixedData"],
  [volumeTypeIds.Removable, "Removable"],
]);

export const decodeVolumeType = (raw: unknown): VolumeType => {
  const name = volumeTypeNames.get(decodeInteger(raw, "VolumeTypeId"));
  if (name === undefined) throw new UnreadableCell("VolumeTypeId is not a known type");
  return name;
};

/** The text of one RecoveryKey cell: a valid password, or an error. */
export const readRecoveryPassword = (policy: StoragePolicy, dataKeys: DataKeys, stored: StoredSecret): string => {
  const plain = openStored(policy, dataKeys, cellKinds.recoveryKey, stored);
  try {
    const text = canonicalRecoveryPassword(plain.toString("latin1"));
    if (text === undefined)
      throw new UnreadableCell(`RecoveryKey of row ${stored.rowId} (${stored.subject}) is not a recovery password`);
    return text;
  } finally {
    plain.fill(0);
  }
};

/** What is made of the rows of a query's pages. */
export interface RowJudge {
  /** Whether the row is an answer. Throws `UnreadableCell` for a row that was changed. */
  readonly matches: (row: RawRow) => boolean;
  /** Of an answer, where the query asks for it. */
  readonly stateOf: (row: RawRow) => KeyState | undefined;
}

export const prepareRowJudge = (
  database: DatabaseSync,
  digests: RowDigests,
): ((query: RecoveryKeyQuery) => RowJudge) => {
  const startCheck = prepareRowCheck(database, digests);
  return (query) => {
    const rowCheck = startCheck();
    return {
      matches: rowFilter(query, rowCheck),
      stateOf: query.withState === true ? stateBy(rowCheck) : () => undefined,
    };
  };
};

/** A computer has one volume with its operating system, told or not; of other kinds it may have several. */
const stateBy =
  ({ newestTime }: RowCheck) =>
  (row: RawRow): KeyState => {
    if (decodeInteger(row[at.lastUpdateTime], "LastUpdateTime") >= newestTime(row)) return "Current";
    return row[at.derived] === 0 || row[at.volumeTypeId] === volumeTypeIds.OperatingSystem ? "Replaced" : "Older";
  };

const rowFilter = (query: RecoveryKeyQuery, { check, newestTime }: RowCheck): RowJudge["matches"] => {
  const names = query.computerNames === undefined ? undefined : new Set(query.computerNames.map(foldComputerName));
  const types = query.volumeTypes === undefined ? undefined : new Set(query.volumeTypes);
  const since = query.since?.getTime();
  return (row) => {
    // Before the filters: a changed name, type or time must not make a row one of those that are left out.
    check(row);
    // Placeholder rows of the LEFT JOINs, and protectors without a password.
    if (row[at.machineId] === null || row[at.protectorKind] !== protectorKinds.NumericalPassword) return false;
    if (names !== undefined && !names.has(decodeText(row[at.nameFolded], "NameFolded"))) return false;
    if (types !== undefined && !types.has(decodeVolumeType(row[at.volumeTypeId]))) return false;
    if (since !== undefined && decodeInteger(row[at.lastUpdateTime], "LastUpdateTime") < since) return false;
    // "Newest" is a property of the key, not of the answer: an old key asked for by its id is not the volume's newest.
    return query.latest !== true || decodeInteger(row[at.lastUpdateTime], "LastUpdateTime") >= newestTime(row);
  };
};

/** One key of a row, its password decrypted but not a `Secret` yet: goes no further than who makes one of it. */
export interface FoundKey extends Omit<RecoveryKey, "recoveryKey"> {
  readonly recoveryPassword: string;
}

/** A made-up one is nobody's: shown, it would be taken for one of Windows. */
export const decodeVolumeId = (row: RawRow): string | undefined =>
  row[at.derived] === 0 ? decodeText(row[at.volumeGuid], "VolumeGuid") : undefined;

export const decodeKeyRow = (
  row: RawRow,
  { stateOf }: Pick<RowJudge, "stateOf">,
  policy: StoragePolicy,
  dataKeys: DataKeys,
): FoundKey => {
  const rowId = decodeInteger(row[at.keyId], "Keys.Id");
  const passwordId = decodeText(row[at.recoveryKeyId], "RecoveryKeyId");
  return {
    passwordId,
    recoveryPassword: readRecoveryPassword(policy, dataKeys, {
      rowId,
      subject: passwordId,
      raw: row[at.recoveryKey],
      fingerprint: row[at.fingerprint],
    }),
    computerName: decodeText(row[at.name], "Machines.Name"),
    volumeId: decodeVolumeId(row),
    volumeType: decodeVolumeType(row[at.volumeTypeId]),
    lastUpdateTime: decodeTime(row[at.lastUpdateTime], "LastUpdateTime"),
    disclosed: row[at.disclosed] !== 0,
    state: stateOf(row),
  };
};

/** A key without its password: no cell is looked at. Beside `decodeKeyRow`, not in it: an export would make an object more for each key. */
export const decodeListedKey = (row: RawRow, { stateOf }: Pick<RowJudge, "stateOf">): ListedKey => ({
  passwordId: decodeText(row[at.recoveryKeyId], "RecoveryKeyId"),
  computerName: decodeText(row[at.name], "Machines.Name"),
  volumeId: decodeVolumeId(row),
  volumeType: decodeVolumeType(row[at.volumeTypeId]),
  lastUpdateTime: decodeTime(row[at.lastUpdateTime], "LastUpdateTime"),
  disclosed: row[at.disclosed] !== 0,
  state: stateOf(row),
});
