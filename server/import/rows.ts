import type { RecoveryRecord } from "../site-database/recovery-record.ts";
import { parseDistinguishedName } from "./distinguished-name.ts";
import { guidInName } from "../model/guid.ts";
import { decodeTime, decodeVolumeType } from "./fields.ts";
import type { Reading } from "./reading.ts";
import { checkRecord } from "./record.ts";

/**
 * Column names of published scripts, letters and digits only, the surest first. A name stands in one list only.
 * Seen in: Get-ADComputers-BitLockerInfo, `Get-ADObject | Export-Csv` of msFVE-RecoveryInformation, several collectors of
 * Graph keys, `(Get-BitLockerVolume).KeyProtector | Export-Csv`, MBAM table exports, and this endpoint's own output.
 */
const names = {
  password: [
    "recoverypassword",
    "msfverecoverypassword",
    "recoverykey",
    "bitlockerrecoverypassword",
    "bitlockerrecoverykey",
    "bitlockerkey",
    "numericalpassword",
    "key",
  ],
  keyId: [
    "passwordid",
    "recoverypasswordid",
    "recoverykeyid",
    "keyprotectorid",
    "bitlockerkeyid",
    "bitlockerrecoverykeyid",
    "bitlocerkeyid",
    "recoveryid",
    "recoveryguid",
    "msfverecoveryguid",
    "keyid",
    "id",
  ],
  computer: [
    "computername",
    "computer",
    "devicename",
    "hostname",
    "machinename",
    "machine",
    "pcname",
    "device",
    "displayname",
    "deviceid",
  ],
  /** Of the computer in some scripts, of its recovery object in others; the value tells. */
  objectName: ["name", "cn"],
  distinguishedName: ["bitlockerobject", "distinguishedname", "dn", "computerdistinguishedname"],
  volumeId: ["volumeid", "volumeguid", "msfvevolumeguid"],
  volumeType: ["volumetype", "drivetype"],
  time: ["lastupdatetime", "whencreated", "createddatetime", "keycreated", "created", "createdat", "backuptime"],
  date: ["date"],
  clock: ["time"],
  offset: ["gmt"],
} as const;

type Role = keyof typeof names;
/** Which cell of a row has what. */
export type Columns = ReadonlyMap<Role, number>;

const roles = Object.keys(names).filter((role): role is Role => role in names);

/** Finds the columns by their names. @returns undefined when no column holds recovery passwords */
export const findColumns = (header: readonly string[]): Columns | undefined => {
  const plain = header.map((name) => name.toLowerCase().replace(/[^a-z0-9]/g, ""));
  const columns = new Map<Role, number>();
  for (const role of roles) {
    const index = names[role].map((name) => plain.indexOf(name)).find((found) => found !== -1);
    if (index !== undefined) columns.set(role, index);
  }
  return columns.has("password") ? columns : undefined;
};

/** What PowerShell writes for a value that is no text: it isn't there. */
const isAbsent = (cell: string): boolean => cell === "" || /^(System\.[\w.]+\[\]|N\/A|null)$/i.test(cell);

const linesOf = (cell: string): string[] =>
  cell
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");

/** `CN=2021-…{GUID},CN=PC-0001,…` is of the recovery object, `CN=PC-0001,…` of the computer. */
const computerOf = (distinguishedName: string): string | undefined => {
  const parts = parseDistinguishedName(distinguishedName);
  const [first, second] = parts ?? [];
  return first !== undefined && guidInName(first.value) !== undefined ? second?.value : first?.value;
};

/**
 * Reads one row. Several protectors of one computer may share a row, one a line in the cells of id and password.
 *
 * @returns no record for a row without id and password (reports list computers that have none), or when it was refused
 */
export const readRow = (
  columns: Columns,
  cells: readonly string[],
  line: number,
  reading: Reading,
): RecoveryRecord[] => {
  const cell = (role: Role): string | undefined => {
    const index = columns.get(role);
    const text = index === undefined ? "" : (cells[index] ?? "").trim();
    return isAbsent(text) ? undefined : text;
  };
  const passwords = linesOf(cell("password") ?? "");
  const distinguishedName = cell("distinguishedName");
  const objectName = cell("objectName");
  const named = [objectName ?? "", distinguishedName ?? ""].map(guidInName).find((guid) => guid !== undefined);
  const ids = linesOf(cell("keyId") ?? named ?? "");
  if (passwords.length === 0 && ids.length === 0) return [];
  if (passwords.length === 0) {
    reading.refuse(line, "the recovery password is missing.");
    return [];
  }
  if (ids.length > 0 && ids.length !== passwords.length) {
    reading.refuse(line, "this row has not as many key ids as recovery passwords.");
    return [];
  }
  const ownName = objectName !== undefined && guidInName(objectName) === undefined ? objectName : undefined;
  const computerName =
    cell("computer") ?? ownName ?? (distinguishedName === undefined ? undefined : computerOf(distinguishedName));
  const split = [cell("date"), cell("clock"), cell("offset")];
  const time = cell("time") ?? (split.includes(undefined) ? "" : `${split[0]}T${split[1]}${split[2]}`);
  return passwords.flatMap(
    (password, index) =>
      checkRecord(
        {
          line,
          computerName,
          keyId: ids[index],
          protector: { kind: "NumericalPassword", password },
          volumeId: cell("volumeId"),
          volumeType: decodeVolumeType(cell("volumeType") ?? ""),
          // A time in the form of some country is in doubt, and no reason to lose a key: it counts as not told.
          lastUpdateTime: decodeTime(time),
        },
        reading,
      ) ?? [],
  );
};
