import type { KeyCategory } from "../command/site-database.ts";
import type { RawRecord } from "./record.ts";

/**
 * Win32_EncryptableVolume.GetKeyProtectorType: the numbers, which Windows PowerShell writes, and the names, which
 * `ConvertTo-Json -EnumsAsStrings` and Export-Csv write. The others (TPM 1, 4, 5, 6, passphrase 8, …) recover nothing.
 */
const kinds: ReadonlyMap<string, RawRecord["protector"]["kind"]> = new Map([
  ["2", "ExternalKey"],
  ["externalkey", "ExternalKey"],
  ["3", "NumericalPassword"],
  ["recoverypassword", "NumericalPassword"],
  ["numericalpassword", "NumericalPassword"],
  ["7", "DataRecoveryAgent"],
  ["publickey", "DataRecoveryAgent"],
]);

/** @returns undefined for a protector that recovers nothing */
export const protectorKind = (type: string): RawRecord["protector"]["kind"] | undefined =>
  kinds.get(type.trim().toLowerCase());

/** GetKeyProtectorCertificate: 1 is a data recovery agent, 2 a user's certificate (smart card), which recovers nothing. */
export const isUserCertificate = (type: string | undefined): boolean => {
  const text = type?.toLowerCase() ?? "";
  return text !== "" && text !== "1" && !text.includes("recovery") && !text.includes("dra");
};

/** `AutoUnlockProtector` of PowerShell, which has it of external keys alone: one that unlocks by itself is BitLocker's own. */
export const categoryOf = (autoUnlock: string | undefined): KeyCategory | undefined => {
  const text = autoUnlock?.toLowerCase();
  if (text === "true") return "Managed";
  return text === "false" ? "Recovery" : undefined;
};
