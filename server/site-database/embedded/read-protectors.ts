import type { DatabaseSync } from "node:sqlite";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Secret } from "../../secret.ts";
import type { OtherProtector, ProtectorQuery, SiteDatabase } from "../../command/site-database.ts";
import { foldComputerName } from "../../model/computer-name.ts";
import { decodeInteger, decodeText, decodeTime } from "./columns.ts";
import type { RawRow } from "./columns.ts";
import { prepareArrays } from "./connection.ts";
import { UnreadableCell } from "./failures.ts";
import type { KeyLookUp } from "./key-look-up.ts";
import { at, otherProtectorsOfMachine, otherProtectorColumns, pageRows } from "./key-pages.ts";
import { decodeVolumeId, decodeVolumeType } from "./key-rows.ts";
import { checkKeyIds } from "./read-keys.ts";
import { prepareRowCheck } from "./row-check.ts";
import type { RowCheck } from "./row-check.ts";
import type { RowDigests } from "./row-digests.ts";
import { protectorKinds } from "./schema.ts";

const machines = "RecoveryAndHardwareCore_Machines";

/** Exported for the test that no plan of theirs scans. */
export const protectorQueries = {
  machinesAfter: `SELECT Id, NameFolded FROM ${machines} WHERE NameFolded > ? ORDER BY NameFolded LIMIT ? + 0`,
  machineNamed: `SELECT Id FROM ${machines} WHERE NameFolded = ?`,
  ofMachine: otherProtectorsOfMachine,
} as const;

const kinds: ReadonlyMap<unknown, Pick<OtherProtector, "protectorType" | "category">> = new Map([
  [protectorKinds.ExternalKey, { protectorType: "ExternalKey", category: undefined }],
  [protectorKinds.ManagedExternalKey, { protectorType: "ExternalKey", category: "Managed" }],
  [protectorKinds.RecoveryExternalKey, { protectorType: "ExternalKey", category: "Recovery" }],
  // By its nature: whoever has the certificate's private key is outside.
  [protectorKinds.DataRecoveryAgent, { protectorType: "DataRecoveryAgent", category: "Recovery" }],
]);

const decodeProtector = (row: RawRow): OtherProtector => {
  const kind = kinds.get(row[at.protectorKind]);
  if (kind === undefined) throw new UnreadableCell("ProtectorKind is not a known kind");
  const protectorId = decodeText(row[at.recoveryKeyId], "RecoveryKeyId");
  const computerName = decodeText(row[at.name], "Machines.Name");
  const secretIn = (index: number, column: string): Secret | undefined =>
    row[index] === null
      ? undefined
      : new Secret(decodeText(row[index], column), { keyId: protectorId, computerName, what: "protector" });
  return {
    protectorId,
    ...kind,
    fileName: secretIn(otherProtectorColumns.fileName, "FileName"),
    thumbprint: secretIn(otherProtectorColumns.thumbprint, "CertificateThumbprint"),
    computerName,
    volumeId: decodeVolumeId(row),
    volumeType: decodeVolumeType(row[at.volumeTypeId]),
    lastUpdateTime: decodeTime(row[at.lastUpdateTime], "LastUpdateTime"),
  };
};

/** Whether a protector opens the volume of the key that a row names: where the key's data told none, one of the same kind on its computer. */
const isOfVolumeOf =
  (key: RawRow) =>
  (row: RawRow): boolean =>
    key[at.derived] === 0 ? row[at.volumeId] === key[at.volumeId] : row[at.volumeTypeId] === key[at.volumeTypeId];

/**
 * Reads the protectors that are no recovery passwords, a computer at a time: few have any, and none has many. By an id through the key or
 * protector that has it. Each row is checked as a key's is.
 */
export const createProtectorReader = (
  database: DatabaseSync,
  digests: RowDigests,
  { pages, look, ready }: KeyLookUp,
): Pick<SiteDatabase, "readProtectors"> => {
  const machinesAfter = prepareArrays(database, protectorQueries.machinesAfter);
  const machineNamed = prepareArrays(database, protectorQueries.machineNamed);
  const ofMachine = prepareArrays(database, protectorQueries.ofMachine);
  const startCheck = prepareRowCheck(database, digests);

  const checkedOf = (machineId: unknown, { check }: RowCheck): readonly RawRow[] => {
    const rows = ofMachine(decodeInteger(machineId, "Machines.Id"));
    rows.forEach(check);
    return rows;
  };

  async function* ofAll(rowCheck: RowCheck, signal: AbortSignal): AsyncGenerator<readonly RawRow[]> {
    for (let after = ""; ; await nextTurn()) {
      const from = after;
      const found = await look(signal, () => {
        const page = machinesAfter(from, pageRows);
        return { last: page.at(-1), rows: page.flatMap(([id]) => checkedOf(id, rowCheck)) };
      });
      if (found.last === undefined) return;
      if (found.rows.length > 0) yield found.rows;
      after = decodeText(found.last[1], "NameFolded");
    }
  }

  async function* ofNamed(names: readonly string[], rowCheck: RowCheck, signal: AbortSignal) {
    for (const name of new Set(names.map(foldComputerName)))
      yield await look(signal, () => machineNamed(name).flatMap(([id]) => checkedOf(id, rowCheck)));
  }

  async function* ofIds(query: ProtectorQuery, rowCheck: RowCheck, signal: AbortSignal) {
    const names = query.computerNames && new Set(query.computerNames.map(foldComputerName));
    const walk = pages.start(query, false);
    const seen = new Set<string>();
    for (;;) {
      const keys = await look(signal, () => walk.next(pageRows));
      if (keys.length === 0) return;
      yield await look(signal, () => {
        keys.forEach(rowCheck.check);
        const found = keys
          .filter((key) => names?.has(decodeText(key[at.nameFolded], "NameFolded")) ?? true)
          .flatMap((key) => checkedOf(key[at.machineId], rowCheck).filter(isOfVolumeOf(key)));
        return found.filter((row) => {
          const one = `${String(row[at.machineId])} ${String(row[at.keyId])}`;
          return !seen.has(one) && seen.add(one);
        });
      });
    }
  }

  return {
    readProtectors: async function* read(query, signal) {
      checkKeyIds(query);
      await ready(signal);
      const rowCheck = startCheck();
      const types = query.volumeTypes && new Set(query.volumeTypes);
      const found =
        query.passwordIds !== undefined
          ? ofIds(query, rowCheck, signal)
          : query.computerNames !== undefined
            ? ofNamed(query.computerNames, rowCheck, signal)
            : ofAll(rowCheck, signal);
      for await (const rows of found) {
        const protectors = await look(signal, () => rows.map(decodeProtector));
        const wanted = protectors.filter(({ volumeType }) => types?.has(volumeType) ?? true);
        if (wanted.length > 0) yield wanted;
      }
    },
  };
};
