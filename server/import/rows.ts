import type { VolumeType } from "../command/site-database.ts";
import type { RecoveryRecord } from "../site-database/recovery-record.ts";
import { computerInName } from "./distinguished-name.ts";
import type { Role } from "./column-names.ts";
import { guidInName } from "../model/guid.ts";
import { decodeTime, decodeVolumeType, decodeWrittenBytes, decodeWrittenGuid } from "./fields.ts";
import { cellText, isAbsent, type Layout } from "./layout.ts";
import { recoveryPasswordsIn } from "./password-account.ts";
import { otherNameIn } from "./other-names.ts";
import { categoryOf, isUserCertificate, protectorKind } from "./protector-kinds.ts";
import type { Reading } from "./reading.ts";
import { checkRecord, type RawRecord } from "./record.ts";

/** What is known of a row besides its own cells: the objects around a JSON object tell it. */
export interface Surroundings {
  readonly computerName?: string | undefined;
  readonly volumeType?: VolumeType | undefined;
  readonly isOneComputer?: boolean;
  /** Number of the table on its page. */
  readonly table?: number;
}

type Read = (role: Role) => string | undefined;

/**
 * Several values of one cell: one a line, or parted by blanks where a script made a text of a list. Lines that say nothing
 * are kept, as they keep ids and passwords side by side.
 */
const valuesIn = (cell: string | undefined, split: (cell: string) => readonly string[] | undefined): string[] => {
  if (cell === undefined) return [];
  const values = cell.includes("\n") ? cell.split("\n") : (split(cell) ?? [cell]);
  return values.map((value) => value.trim());
};

const oneId = 40;
const onePassword = 60;

const idsByBlanks = (cell: string): readonly string[] | undefined => {
  if (cell.length <= oneId) return undefined;
  const words = cell.split(/[\s,;]+/);
  return words.length > 1 && words.every((word) => decodeWrittenGuid(word) !== undefined) ? words : undefined;
};

const passwordsByBlanks = (cell: string): readonly string[] | undefined => {
  if (cell.length <= onePassword) return undefined;
  const found = recoveryPasswordsIn(cell);
  return found.length > 1 ? found.map(({ password }) => password) : undefined;
};

const isSaid = (value: string): boolean => !isAbsent(value);

/** Ids and passwords side by side; undefined when there aren't as many. */
const pair = (
  ids: readonly string[],
  passwords: readonly string[],
): readonly (readonly [string, string])[] | undefined => {
  if (ids.length === passwords.length) return ids.map((id, index) => [id, passwords[index] ?? ""] as const);
  const [saidIds, saidPasswords] = [ids.filter(isSaid), passwords.filter(isSaid)];
  if (saidIds.length !== saidPasswords.length) return undefined;
  return saidIds.map((id, index) => [id, saidPasswords[index] ?? ""] as const);
};

const volumeTypeIn = (text: string | undefined, isGraph: boolean): VolumeType => {
  if (text === undefined) return "Unknown";
  if (isGraph || !/^\d+$/.test(text)) return decodeVolumeType(text);
  // BitLockerVolumeType of PowerShell has two members only, and `Data` (1) is either of the other two kinds.
  return text === "0" ? "OperatingSystem" : "Unknown";
};

/** A password in eight cells has lost the zeros that its groups began with. */
const groupsOf = (cells: readonly string[], at: number): string | undefined => {
  const groups = cells.slice(at, at + 8).map(cellText);
  return groups.every((group) => group === "") ? undefined : groups.map((group) => group.padStart(6, "0")).join("-");
};

const timeIn = (read: Read): string | undefined => {
  // A time in the form of some country is in doubt, and no reason to lose a key: it counts as not told.
  const time = read("time");
  if (time !== undefined) return decodeTime(time);
  const [date, clock, offset] = [read("date"), read("clock"), read("offset")];
  return date === undefined || clock === undefined || offset === undefined
    ? undefined
    : decodeTime(`${date}T${clock}${offset}`);
};

/**
 * A protector that is no recovery password.
 *
 * @param isEmptyProtector the row is of PowerShell's protectors, and the property RecoveryPassword of this one is empty
 * @returns undefined when the row says nothing of another kind
 */
const readOther = (
  read: Read,
  common: Omit<RawRecord, "protector">,
  isEmptyProtector: boolean,
  reading: Reading,
): readonly RecoveryRecord[] | undefined => {
  const type = read("protectorType");
  const kind = type === undefined ? undefined : protectorKind(type);
  if (type === undefined && isEmptyProtector) {
    reading.passOver(common.line);
    return [];
  }
  if (type === undefined || kind === "NumericalPassword" || /\s/.test(type)) return undefined;
  if (kind === "ExternalKey") {
    const protector = { kind, fileName: read("fileName"), category: categoryOf(read("autoUnlock")) } as const;
    return [checkRecord({ ...common, protector }, reading) ?? []].flat();
  }
  if (kind === "DataRecoveryAgent" && !isUserCertificate(read("certificateType"))) {
    const protector = { kind, certificateThumbprint: read("thumbprint") } as const;
    return [checkRecord({ ...common, protector }, reading) ?? []].flat();
  }
  reading.passOver(common.line);
  return [];
};

/** Of a row with one key. What can't be read is left out: a key is worth more than its package. */
const packageIn = (read: Read): Pick<RawRecord, "recoveryPackage"> => {
  const recoveryPackage = decodeWrittenBytes(read("keyPackage") ?? "");
  return recoveryPackage === undefined || recoveryPackage.length === 0 ? {} : { recoveryPackage };
};

/** The name of a recovery object of Active Directory ends in its key id. */
const idInName = (read: Read): string | undefined =>
  guidInName(read("objectName") ?? "") ?? guidInName(read("distinguishedName") ?? "");

const computerIn = (read: Read, around: Surroundings): string | undefined => {
  const computer = read("computer");
  if (computer !== undefined) return computer;
  const objectName = read("objectName");
  if (objectName !== undefined && guidInName(objectName) === undefined) return objectName;
  const inName = [read("distinguishedName"), read("lastKnownParent")]
    .map((name) => (name === undefined ? undefined : computerInName(name)))
    .find((name) => name !== undefined);
  return inName ?? around.computerName;
};

/**
 * Reads one row; several protectors of one computer may share it.
 *
 * @returns no record where it was refused, or has neither id nor password: reports list computers that have none
 */
type ReadRow = (
  layout: Layout,
  cells: readonly string[],
  line: number,
  around?: Surroundings,
) => readonly RecoveryRecord[];

const nothingAround: Surroundings = {};

/** What reads the rows of one file. */
export const rowReader =
  (reading: Reading): ReadRow =>
  (layout, cells, line, around = nothingAround) => {
    const read: Read = (role) => {
      for (const index of layout.columns.get(role) ?? []) {
        const text = cellText(cells[index] ?? "");
        if (isSaid(text)) return text;
      }
      return undefined;
    };
    const holds = (): string => cells.join("\n");
    const passwordCell = layout.groupsAt === undefined ? read("password") : groupsOf(cells, layout.groupsAt);
    const ids = valuesIn(read("keyId") ?? idInName(read), idsByBlanks);
    const passwords = valuesIn(passwordCell, passwordsByBlanks);
    const common = {
      line,
      // Where no column is known to name it, what is made like the given name may be another computer's.
      computerName: computerIn(read, around) ?? otherNameIn(holds(), reading.computerName),
      keyId: ids[0],
      isOneComputer: layout.isOneComputer || around.isOneComputer === true,
      table: around.table,
      volumeId: read("volumeId"),
      volumeType: around.volumeType ?? volumeTypeIn(read("volumeType"), layout.isGraph),
      lastUpdateTime: timeIn(read),
      tpmPasswordHash: read("tpmPasswordHash"),
    };
    if (passwords.every((password) => !isSaid(password))) {
      if (!ids.some(isSaid)) {
        reading.withoutKey(line);
        return [];
      }
      const isEmpty = (layout.columns.get("password") ?? []).every((index) => (cells[index] ?? "").trim() === "");
      const others = readOther(read, common, layout.isOfProtectors && isEmpty, reading);
      if (others !== undefined) return others;
      const why =
        layout.columns.has("protectorType") && read("protectorType") !== undefined
          ? "the recovery password is empty: PowerShell reads it only while the volume is unlocked."
          : "the recovery password is missing.";
      reading.refuse(line, why, holds());
      return [];
    }
    if (!ids.some(isSaid) && !/\d/.test(passwordCell ?? "")) {
      reading.withoutKey(line);
      return [];
    }
    const pairs = ids.length === 0 ? passwords.map((password) => ["", password] as const) : pair(ids, passwords);
    if (pairs === undefined) {
      reading.refuse(line, "this row does not have as many key ids as recovery passwords.", holds());
      return [];
    }
    return pairs.flatMap(([keyId, password]) => {
      if (!isSaid(password)) {
        if (isSaid(keyId)) reading.passOver(line);
        return [];
      }
      const protector = { kind: "NumericalPassword", password } as const;
      const own = pairs.length === 1 ? packageIn(read) : {};
      return checkRecord({ ...common, ...own, keyId, protector }, reading) ?? [];
    });
  };
