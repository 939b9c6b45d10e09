import type { VolumeType } from "../site-database/port.ts";
import type { RecoveryRecord } from "../site-database/recovery-record.ts";
import { propertiesOf, type JsonObject } from "./json-objects.ts";
import { BrokenFile, type Reading } from "./reading.ts";
import { checkRecord, type RawRecord } from "./record.ts";

/** What `Get-BitLockerVolume` says of the volume around its protectors; nothing for protectors alone. */
interface Volume {
  readonly computerName: string | undefined;
  readonly volumeType: VolumeType;
}

const textOf = (value: unknown): string | undefined =>
  typeof value === "string" ? value : typeof value === "number" ? String(value) : undefined;

/**
 * Win32_EncryptableVolume.GetKeyProtectorType: the numbers, which Windows PowerShell writes, and the names, which
 * `ConvertTo-Json -EnumsAsStrings` writes. The other numbers (TPM 1, 4, 5, 6, passphrase 8, …) recover nothing.
 */
const kinds: ReadonlyMap<string, RawRecord["protector"]["kind"]> = new Map([
  ["2", "ExternalKey"],
  ["externalkey", "ExternalKey"],
  ["3", "NumericalPassword"],
  ["recoverypassword", "NumericalPassword"],
  ["7", "DataRecoveryAgent"],
  ["publickey", "DataRecoveryAgent"],
]);

/** GetKeyProtectorCertificate: 1 is a data recovery agent, 2 a user's certificate (smart card), which recovers nothing. */
const isUserCertificate = (type: unknown): boolean => {
  const text = textOf(type)?.toLowerCase();
  return text !== undefined && text !== "" && text !== "1" && !text.includes("recovery") && !text.includes("dra");
};

const readProtector = (object: JsonObject, volume: Volume, reading: Reading): RecoveryRecord | undefined => {
  const { line, properties } = object;
  const kind = kinds.get(textOf(properties.get("keyprotectortype"))?.trim().toLowerCase() ?? "");
  const common = { line, keyId: textOf(properties.get("keyprotectorid")), ...volume };
  switch (kind) {
    case "NumericalPassword": {
      const password = textOf(properties.get("recoverypassword")) ?? "";
      if (password.trim() === "") {
        reading.refuse(line, "the recovery password is empty: PowerShell reads it only while the volume is unlocked.");
        return undefined;
      }
      return checkRecord({ ...common, protector: { kind, password } }, reading);
    }
    case "ExternalKey":
      return checkRecord({ ...common, protector: { kind, fileName: textOf(properties.get("keyfilename")) } }, reading);
    case "DataRecoveryAgent":
      if (isUserCertificate(properties.get("keycertificatetype"))) break;
      return checkRecord(
        { ...common, protector: { kind, certificateThumbprint: textOf(properties.get("thumbprint")) } },
        reading,
      );
    case undefined:
      break;
  }
  reading.passOver(line);
  return undefined;
};

/** One object of `(Get-BitLockerVolume).KeyProtector`, as `ConvertTo-Json` writes it. It names no computer. */
export const readKeyProtector = (object: JsonObject, reading: Reading): RecoveryRecord[] => {
  if (reading.computerName === undefined) {
    throw new BrokenFile(
      undefined,
      "these key protectors of PowerShell do not say which computer they are of; give --computer-name NAME.",
    );
  }
  const record = readProtector(object, { computerName: undefined, volumeType: "Unknown" }, reading);
  return record === undefined ? [] : [record];
};

/** One object of `Get-BitLockerVolume` itself: it names its computer, and has its protectors in a list. */
export const readVolume = (object: JsonObject, reading: Reading): RecoveryRecord[] => {
  const type = textOf(object.properties.get("volumetype"))?.toLowerCase();
  const volume: Volume = {
    computerName: textOf(object.properties.get("computername")),
    // BitLockerVolumeType has two members only, and `Data` (1) is either of the other two kinds.
    volumeType: type === "0" || type === "operatingsystem" ? "OperatingSystem" : "Unknown",
  };
  const protectors = object.properties.get("keyprotector");
  return (Array.isArray(protectors) ? protectors : [protectors]).flatMap((protector: unknown) => {
    const properties = propertiesOf(protector);
    if (properties === undefined) {
      reading.refuse(object.line, "this volume's protectors were cut off by ConvertTo-Json; use its option -Depth 4.");
      return [];
    }
    return readProtector({ line: object.line, properties }, volume, reading) ?? [];
  });
};
