import { Secret } from "../secret.ts";
import type { KeyCategory, VolumeType } from "../command/site-database.ts";
import { isSameComputer } from "../model/computer-name.ts";
import { canonicalRecoveryPassword } from "../model/recovery-password.ts";
import type { KeyProtector, RecoveryRecord, TpmRecord } from "../site-database/recovery-record.ts";
import { decodeComputerName, decodeWrittenGuid } from "./fields.ts";
import { plainText } from "../model/pasted-text.ts";
import { lettersForDigits } from "../model/guid.ts";
import type { Reading } from "./reading.ts";

/** A record as a file has it, before any of it is believed. */
export interface RawRecord {
  /** Where it begins. */
  readonly line: number;
  /** As in the file; undefined when the file names none. */
  readonly computerName: string | undefined;
  readonly keyId: string | undefined;
  /** The file is of one computer by its nature, so `--computer-name` may name it for several keys. */
  readonly isOneComputer?: boolean;
  /** Number of the table on its page: two tables are not of one computer by their nature. */
  readonly table?: number | undefined;
  readonly protector:
    | { readonly kind: "NumericalPassword"; readonly password: string; readonly passwordLine?: number }
    | {
        readonly kind: "ExternalKey";
        readonly fileName?: string | undefined;
        readonly category?: KeyCategory | undefined;
      }
    | { readonly kind: "DataRecoveryAgent"; readonly certificateThumbprint?: string | undefined };
  readonly volumeId?: string | undefined;
  readonly volumeType?: VolumeType;
  readonly lastUpdateTime?: string | undefined;
  readonly recoveryPackage?: Uint8Array | undefined;
  readonly tpmPasswordHash?: string | undefined;
}

/** MBAM's own limit for BitLockerRecoveryKeyPackage. */
const largestPackage = 7000;

const findComputerName = (raw: RawRecord, keyId: string, reading: Reading): string | undefined => {
  const given = reading.computerName;
  if (raw.computerName === undefined || raw.computerName.trim() === "") {
    if (given === undefined) reading.refuse(raw.line, "the computer's name is missing; give it with --computer-name.");
    else if (raw.isOneComputer !== true) reading.adopt(raw.line, keyId);
    else if (raw.table !== undefined) reading.adopt(raw.line, `table ${raw.table}`);
    return given;
  }
  const written = raw.computerName.trim();
  const name = decodeComputerName(reading.deviceName(written) ?? written);
  if (name === undefined) {
    reading.refuse(raw.line, "the computer's name has characters that no computer's name has, or is too long.");
  } else if (given !== undefined && !isSameComputer(given, name)) {
    reading.refuse(raw.line, "this belongs to another computer than --computer-name says.");
    return undefined;
  }
  return name;
};

const thumbprint = /^[0-9a-f]{40}$/i;
/** One path component: no separators, no control characters. */
const fileName = /^[^\p{C}/\\]{1,255}$/u;

const findProtector = (raw: RawRecord, keyId: string, name: string, reading: Reading): KeyProtector | undefined => {
  const { protector } = raw;
  switch (protector.kind) {
    case "NumericalPassword": {
      const password =
        canonicalRecoveryPassword(protector.password) ??
        canonicalRecoveryPassword(plainText(protector.password).trim());
      if (password === undefined) {
        reading.refuse(
          protector.passwordLine ?? raw.line,
          "the recovery password is not well-formed: eight groups of six digits, each divisible by 11, 720885 at most.",
        );
        return undefined;
      }
      return { kind: protector.kind, keyId, recoveryPassword: new Secret(password, { keyId, computerName: name }) };
    }
    case "ExternalKey": {
      const { kind, fileName: file = "", category } = protector;
      return {
        kind,
        keyId,
        ...(fileName.test(file) && { fileName: file }),
        ...(category !== undefined && { category }),
      };
    }
    case "DataRecoveryAgent": {
      const print = (protector.certificateThumbprint ?? "").replace(/\s/g, "");
      return thumbprint.test(print)
        ? { kind: protector.kind, keyId, certificateThumbprint: print.toLowerCase() }
        : { kind: protector.kind, keyId };
    }
  }
};

/** SHA-1 in base64, as MBAM's procedures give it and Windows escrows it. */
const tpmPasswordHash = /^[A-Za-z0-9+/]{27}=$/;

const hashIn = (text: string | undefined): Secret | undefined =>
  text !== undefined && tpmPasswordHash.test(text) ? new Secret(text) : undefined;

/** Checks what is known of a TPM: of no use to a key, so it refuses no file. @returns undefined where it is of no known form */
export const checkTpm = (
  raw: Pick<RawRecord, "line" | "computerName" | "tpmPasswordHash" | "lastUpdateTime">,
  reading: Reading,
): TpmRecord | undefined => {
  const written = raw.computerName?.trim() ?? "";
  const computerName = decodeComputerName(reading.deviceName(written) ?? written);
  const hash = hashIn(raw.tpmPasswordHash);
  if (computerName === undefined || hash === undefined) return undefined;
  if (reading.computerName !== undefined && !isSameComputer(reading.computerName, computerName)) return undefined;
  const { line, lastUpdateTime } = raw;
  return { line, computerName, tpmPasswordHash: hash, ...(lastUpdateTime !== undefined && { lastUpdateTime }) };
};

/** Checks a record. @returns undefined when it was refused; the reading knows why */
export const checkRecord = (raw: RawRecord, reading: Reading): RecoveryRecord | undefined => {
  // Stored or refused, with a line: from here on no key can be lost without a word.
  if (raw.protector.kind === "NumericalPassword") reading.settle(raw.protector.password.trim());
  const keyId = decodeWrittenGuid((raw.keyId ?? "").trim());
  if (keyId === undefined) {
    const missing = raw.keyId === undefined || raw.keyId.trim() === "";
    const letters = lettersForDigits(plainText(raw.keyId ?? "").trim());
    const why = letters === undefined ? "the key id is not a whole GUID." : `the key id must be ${letters}.`;
    reading.refuse(raw.line, missing ? "the key id is missing." : why);
    return undefined;
  }
  const name = findComputerName(raw, keyId, reading);
  if (name === undefined) return undefined;
  // Configuration Manager numbers its volumes: what is no id of a volume is no reason to lose a key.
  const volumeId = raw.volumeId === undefined ? undefined : decodeWrittenGuid(raw.volumeId);
  if (raw.recoveryPackage !== undefined && raw.recoveryPackage.length > largestPackage) {
    reading.refuse(raw.line, `the recovery package is larger than ${largestPackage} bytes.`);
    return undefined;
  }
  const hash = hashIn(raw.tpmPasswordHash);
  const protector = findProtector(raw, keyId, name, reading);
  if (protector === undefined) return undefined;
  return {
    line: raw.line,
    computerName: name,
    volumeType: raw.volumeType ?? "Unknown",
    protector,
    ...(volumeId !== undefined && { volumeId }),
    ...(raw.lastUpdateTime !== undefined && { lastUpdateTime: raw.lastUpdateTime }),
    ...(raw.recoveryPackage !== undefined && { recoveryPackage: raw.recoveryPackage }),
    ...(hash !== undefined && { tpmPasswordHash: hash }),
  };
};
