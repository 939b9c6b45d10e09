import type { KeyObject } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import type { KeyState, ListedKey, RecoveryKey, RecoveryKeyQuery, VolumeType } from "../../command/site-database.ts";
import { canonicalRecoveryPassword } from "../../model/recovery-password.ts";
import { fingerprint, openCellByAny } from "./cells.ts";
import type { DataKeys } from "./cells.ts";
import { decodeInteger, decodeText, decodeTime } from "./columns.ts";
import type { RawRow } from "./columns.ts";
import { foldComputerName } from "../../model/computer-name.ts";
import { UnreadableCell, unavailable } from "./failures.ts";
import { at } from "./key-pages.ts";
import { prepareRowCheck } from "./row-check.ts";
import type { RowCheck } from "./row-check.ts";
import { isDigest } from "./row-digests.ts";
import type { RowDigests } from "./row-digests.ts";
import { cellColumns, protectorKinds, volumeTypeIds } from "./schema.ts";

const volumeTypeNames: ReadonlyMap<number, VolumeType> = new Map<number, VolumeType>([
  [volumeTypeIds.Unknown, "Unknown"],
  [volumeTypeIds.OperatingSystem, "OperatingSystem"],
  [volumeTypeIds.FixedData, "FixedData"],
  [volumeTypeIds.Removable, "Removable"],
]);

const decodeVolumeType = (raw: unknown): VolumeType => {
  const name = volumeTypeNames.get(decodeInteger(raw, "VolumeTypeId"));
  if (name === undefined) throw new UnreadableCell("VolumeTypeId is not a known type");
  return name;
};

/** What the database allows, as the check of its master key says. */
export interface StoragePolicy {
  readonly plainTextAllowed: boolean;
  /** Of recovery passwords: it says which one was imported under a key id, and opens nothing. */
  readonly fingerprintKey: KeyObject;
}

/** As it stands in the table; none of it is trusted. */
interface StoredPassword {
  readonly rowId: number;
  readonly keyId: string;
  readonly raw: unknown;
  readonly fingerprint: unknown;
}

/**
 * The text of one RecoveryKey cell: a valid password in plain text where that is allowed, and which was imported under this id; or one that
 * decrypts to a valid password. Anything else is an error, never a missing value: DecryptString's NULL has cost real sites their evidence.
 */
export const readRecoveryPassword = (
  { plainTextAllowed, fingerprintKey }: StoragePolicy,
  dataKeys: DataKeys,
  { rowId, keyId, raw, fingerprint: stored }: StoredPassword,
): string => {
  if (typeof raw === "string") {
    if (!plainTextAllowed)
      throw new UnreadableCell(
        `RecoveryKey of row ${rowId} (${keyId}) is plain text, which this database does not allow`,
      );
    const text = canonicalRecoveryPassword(raw);
    if (text === undefined)
      throw new UnreadableCell(`RecoveryKey of row ${rowId} (${keyId}) is not a recovery password`);
    // An encrypted one needs no such check: it opens in its own row only.
    if (!isDigest(stored, fingerprint(fingerprintKey, keyId, Buffer.from(text, "latin1")).toString("hex")))
      throw new UnreadableCell(`RecoveryKey of row ${rowId} (${keyId}) is not the one that was imported`);
    return text;
  }
  if (!(raw instanceof Uint8Array)) throw new UnreadableCell(`RecoveryKey of row ${rowId} (${keyId}) is missing`);
  if (dataKeys.length === 0)
    throw unavailable(
      "The certificate that protects the recovery keys is missing.",
      `RecoveryKey of row ${rowId} is encrypted, but there is no certificate`,
    );
  const plain = openCellByAny(dataKeys, { ...cellColumns.recoveryKey, rowId, subject: keyId }, raw);
  try {
    const text = canonicalRecoveryPassword(plain.toString("latin1"));
    if (text === undefined)
      throw new UnreadableCell(
        `RecoveryKey of row ${rowId} (${keyId}) decrypts to something else than a recovery password`,
      );
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
const decodeVolumeId = (row: RawRow): string | undefined =>
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
      keyId: passwordId,
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
