import type { KeyObject } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { setImmediate as nextTurn } from "node:timers/promises";
import { EndpointError } from "../../errors.ts";
import { Secret } from "../../secret.ts";
import type { RecoveryKey, RecoveryKeyQuery, VolumeType } from "../port.ts";
import { canonicalRecoveryPassword } from "../recovery-password.ts";
import { openCell } from "./cells.ts";
import { decodeInteger, decodeText, decodeTime } from "./columns.ts";
import type { RawRow } from "./columns.ts";
import { foldComputerName } from "./computer-name.ts";
import { prepareArrays, withLockPatience, writeTransaction } from "./connection.ts";
import type { ArrayQuery, LockPatience } from "./connection.ts";
import { UnreadableCell, unavailable } from "./failures.ts";
import { at, prepareKeyPages } from "./key-pages.ts";
import type { KeyPages } from "./key-pages.ts";
import { readerName, writerName } from "./principals.ts";
import type { CertificateAccess } from "./principals.ts";
import { cellColumns, protectorKinds, volumeTypeIds } from "./schema.ts";

/** Rows fetched in one go, and decrypted in one go: each about a millisecond of the event loop. */
const pageRows = 256;
const decodedRows = 64;
/** Counting decrypts nothing, so its pages may be longer for the same time. */
const countPageRows = 1024;
/**
 * Disclosing starts with small batches and doubles: who looks at one screen and leaves has not had hundreds of keys marked,
 * and a bulk answer soon pays for one durable write per 64 keys only.
 */
const firstDisclosedRows = 16;

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

/**
 * The text of one RecoveryKey cell: a valid password in plain text where that is allowed, or one that decrypts to a valid
 * password. Anything else is an error, never a missing value: DecryptString's NULL has cost real sites their evidence.
 */
export const readRecoveryPassword = (
  access: CertificateAccess,
  dataKey: KeyObject | undefined,
  cell: { readonly rowId: number; readonly keyId: string; readonly raw: unknown },
): string => {
  const { rowId, keyId, raw } = cell;
  if (typeof raw === "string") {
    if (!access.plainTextAllowed)
      throw new UnreadableCell(
        `RecoveryKey of row ${rowId} (${keyId}) is plain text, which this database does not allow`,
      );
    const text = canonicalRecoveryPassword(raw);
    if (text === undefined)
      throw new UnreadableCell(`RecoveryKey of row ${rowId} (${keyId}) is not a recovery password`);
    return text;
  }
  if (!(raw instanceof Uint8Array)) throw new UnreadableCell(`RecoveryKey of row ${rowId} (${keyId}) is missing`);
  if (dataKey === undefined)
    throw unavailable(
      "The certificate that protects the recovery keys is missing.",
      `RecoveryKey of row ${rowId} is encrypted, but there is no certificate`,
    );
  const plain = openCell(dataKey, { ...cellColumns.recoveryKey, rowId, subject: keyId }, raw);
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

const keyIdPattern = /^[0-9A-F-]{8,36}$/;

const checkQuery = (query: RecoveryKeyQuery): void => {
  if (query.passwordIds?.some((id) => !keyIdPattern.test(id)))
    throw new EndpointError(
      "InvalidArgument",
      "A recovery key id must be a GUID, or its first 8 or more characters: digits, A to F and hyphens.",
    );
};

const rowFilter = (query: RecoveryKeyQuery, newestOfVolume: ArrayQuery): ((row: RawRow) => boolean) => {
  const names = query.computerNames === undefined ? undefined : new Set(query.computerNames.map(foldComputerName));
  const types = query.volumeTypes === undefined ? undefined : new Set(query.volumeTypes);
  const since = query.since?.getTime();
  return (row) => {
    // Placeholder rows of the LEFT JOINs, and protectors without a password.
    if (row[at.machineId] === null || row[at.protectorKind] !== protectorKinds.NumericalPassword) return false;
    if (names !== undefined && !names.has(decodeText(row[at.nameFolded], "NameFolded"))) return false;
    if (types !== undefined && !types.has(decodeVolumeType(row[at.volumeTypeId]))) return false;
    if (since !== undefined && decodeInteger(row[at.lastUpdateTime], "LastUpdateTime") < since) return false;
    // "Newest" is a property of the key, not of the answer: an old key asked for by its id is not the volume's newest.
    return (
      query.latest !== true || newestOfVolume(decodeInteger(row[at.volumeId], "VolumeId"))[0]?.[0] === row[at.keyId]
    );
  };
};

interface FoundKey {
  readonly rowId: number;
  readonly key: RecoveryKey;
}

type Batches = AsyncGenerator<readonly RecoveryKey[], void, void>;

export interface KeyReader {
  readonly count: (query: RecoveryKeyQuery, signal: AbortSignal) => Promise<number>;
  readonly read: (query: RecoveryKeyQuery, signal: AbortSignal) => Batches;
  readonly disclose: (query: RecoveryKeyQuery, reason: string, signal: AbortSignal) => Batches;
}

interface ReaderParts {
  readonly database: DatabaseSync;
  readonly access: CertificateAccess;
  readonly lockWaitMs: number;
}

export const createKeyReader = ({ database, access, lockWaitMs }: ReaderParts): KeyReader => {
  const pages: KeyPages = prepareKeyPages(database);
  const newestOfVolume = prepareArrays(
    database,
    `SELECT Id FROM RecoveryAndHardwareCore_Keys WHERE VolumeId = ? AND ProtectorKind = ${protectorKinds.NumericalPassword}
      ORDER BY LastUpdateTime DESC, Id DESC LIMIT 1`,
  );
  const setDisclosed = database.prepare("UPDATE RecoveryAndHardwareCore_Keys SET Disclosed = 1 WHERE Id = ?");
  const addDisclosure = database.prepare(
    "INSERT INTO RecoveryAndHardwareCore_Disclosures (KeyId, Reason, DisclosedAt) VALUES (?, ?, ?)",
  );
  const patience = (signal: AbortSignal): LockPatience => ({ signal, lockWaitMs });

  const decodeKey = (row: RawRow, dataKey: KeyObject | undefined): FoundKey => {
    const rowId = decodeInteger(row[at.keyId], "Keys.Id");
    const passwordId = decodeText(row[at.recoveryKeyId], "RecoveryKeyId");
    const computerName = decodeText(row[at.name], "Machines.Name");
    const text = readRecoveryPassword(access, dataKey, { rowId, keyId: passwordId, raw: row[at.recoveryKey] });
    return {
      rowId,
      key: {
        passwordId,
        recoveryKey: new Secret(text, { keyId: passwordId, computerName }),
        computerName,
        volumeId: decodeText(row[at.volumeGuid], "VolumeGuid"),
        volumeType: decodeVolumeType(row[at.volumeTypeId]),
        lastUpdateTime: decodeTime(row[at.lastUpdateTime], "LastUpdateTime"),
        disclosed: row[at.disclosed] !== 0,
      },
    };
  };

  const mark = (found: readonly FoundKey[], reason: string): void => {
    // As Write, before the transaction: without the right to write there is no mark, and without a mark no key.
    access.dataKeyFor(writerName);
    const now = Date.now();
    writeTransaction(database, () => {
      for (const rowId of new Set(found.map((one) => one.rowId))) {
        setDisclosed.run(rowId);
        addDisclosure.run(rowId, reason, now);
      }
    });
  };

  async function* walk(query: RecoveryKeyQuery, signal: AbortSignal, firstRows: number) {
    checkQuery(query);
    const matches = rowFilter(query, newestOfVolume);
    const nextPage = pages.start(query, true);
    for (let limit = firstRows; ; limit = Math.min(limit * 2, pageRows)) {
      // Two steps: a lock met while filtering must not ask for the page again, whose position has moved on by then.
      const rows = await withLockPatience(patience(signal), () => nextPage(limit));
      if (rows.length === 0) return;
      for (let at = 0; at < rows.length; at += decodedRows) {
        const found = await withLockPatience(patience(signal), () => {
          const dataKey = access.dataKeyFor(readerName);
          return rows
            .slice(at, at + decodedRows)
            .filter(matches)
            .map((row) => decodeKey(row, dataKey));
        });
        if (found.length > 0) yield found;
        await nextTurn();
      }
    }
  }

  return {
    count: async (query, signal) => {
      checkQuery(query);
      const matches = rowFilter(query, newestOfVolume);
      const nextPage = pages.start(query, false);
      for (let count = 0; ; await nextTurn()) {
        const rows = await withLockPatience(patience(signal), () => nextPage(countPageRows));
        if (rows.length === 0) return count;
        count += await withLockPatience(patience(signal), () => rows.filter(matches).length);
      }
    },
    read: async function* read(query, signal) {
      for await (const found of walk(query, signal, pageRows)) yield found.map((one) => one.key);
    },
    disclose: async function* disclose(query, reason, signal) {
      for await (const found of walk(query, signal, firstDisclosedRows)) {
        await withLockPatience(patience(signal), () => mark(found, reason));
        yield found.map(({ key }) => ({ ...key, disclosed: true }));
      }
    },
  };
};
