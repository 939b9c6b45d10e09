import { decodeGuid, guidPattern } from "../model/guid.ts";
import { canonicalComputerName } from "../model/computer-name.ts";
import { holdsKey } from "../model/key-shaped-text.ts";
import { plainText } from "../model/pasted-text.ts";
import type { VolumeType } from "../command/site-database.ts";

/** csvde writes the 16 bytes of a GUID as `X'…'`. */
const csvdeBytes = /^X'([0-9A-F]{32})'$/i;
/** Not in a path (`Volume{…}`, `NPF_{…}`), nor the name of a key's file (`….BEK`). */
const standingGuid = new RegExp(`(?<![\\w\\\\/-]|[A-Za-z_\\\\/]\\{)${guidPattern}(?!\\w|-|\\}?\\.BEK)`, "gi");

/** Every whole GUID that stands for itself in a text. */
export const guidsIn = (text: string): readonly { readonly guid: string; readonly index: number }[] =>
  [...text.matchAll(standingGuid)].map(({ 0: found, index }) => ({ guid: found.toUpperCase(), index }));

/** A GUID as files have it: with or without braces, with a text program's dashes, or as bytes → upper case without braces. */
export const decodeWrittenGuid = (text: string): string | undefined => {
  const guid = decodeGuid(text);
  if (guid !== undefined) return guid;
  const plain = plainText(text);
  const bytes = csvdeBytes.exec(plain)?.[1];
  return bytes === undefined ? decodeGuid(plain) : guidFromBytes(Buffer.from(bytes, "hex"));
};

/** 16 bytes as Active Directory keeps a GUID: the first three fields little-endian (MS-DTYP 2.3.4.2). */
export const guidFromBytes = (bytes: Uint8Array): string | undefined => {
  if (bytes.length !== 16) return undefined;
  const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
  const hex = order.map((index) => (bytes[index] ?? 0).toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`.toUpperCase();
};

/** Fewer characters than a key's four groups have digits. */
const tooShortForKey = /^[\0-\u007F]{0,23}$/;

/** A computer's name of a file. A column shifted by one would put a key where every log shows it. */
export const decodeComputerName = (text: string): string | undefined => {
  const name = canonicalComputerName(text);
  return name === undefined || (!tooShortForKey.test(name) && holdsKey(name)) ? undefined : name;
};

const generalizedTime = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d{4})$/;
const isoTime = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;
const dotNetTime = /^\/Date\((-?\d{1,15})\)\/$/;

/**
 * A moment in one of the forms that leave no doubt: ISO 8601 with its offset, GeneralizedTime (RFC 4517 §3.3.13), or
 * `/Date(ms)/` of Windows PowerShell. `03/09/2025` is in doubt and gives undefined, as anything else does.
 */
export const decodeTime = (text: string): string | undefined => {
  const milliseconds = dotNetTime.exec(text)?.[1];
  if (milliseconds !== undefined) {
    const date = new Date(Number(milliseconds));
    return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
  }
  const match = isoTime.exec(text) ?? generalizedTime.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction = "", offset = ""] = match;
  const clock = `${year}-${month}-${day}T${hour}:${minute}:${second}`;
  const written = new Date(`${clock}.${fraction.slice(0, 3).padEnd(3, "0")}Z`);
  // Date rolls the 31st of April over to May; such a date was never written by a clock.
  if (Number.isNaN(written.getTime()) || !written.toISOString().startsWith(clock)) return undefined;
  const sign = offset.startsWith("-") ? 1 : -1;
  const digits = offset.replace(/\D/g, "").padEnd(4, "0");
  const shiftMinutes = sign * (Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2)));
  return new Date(written.getTime() + shiftMinutes * 60_000).toISOString();
};

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Strict, as `Buffer.from` skips what it doesn't know and so hides a cut. */
export const decodeBase64 = (text: string): Uint8Array | undefined =>
  base64.test(text) ? Buffer.from(text, "base64") : undefined;

/** As csvde, SQL Server's tools and PowerShell write bytes: `X'…'`, `0x…`, base64. */
export const decodeWrittenBytes = (text: string): Uint8Array | undefined => {
  const hex = /^(?:X'([0-9A-F]*)'|0x([0-9A-F]*))$/i.exec(text);
  if (hex === null) return decodeBase64(text);
  const digits = hex[1] ?? hex[2] ?? "";
  return digits.length % 2 === 0 ? Buffer.from(digits, "hex") : undefined;
};

const volumeTypeNames: ReadonlyMap<string, VolumeType> = new Map([
  ["1", "OperatingSystem"],
  ["operatingsystem", "OperatingSystem"],
  ["operatingsystemvolume", "OperatingSystem"],
  ["2", "FixedData"],
  ["fixeddata", "FixedData"],
  ["fixeddatavolume", "FixedData"],
  ["3", "Removable"],
  ["removable", "Removable"],
  ["removabledata", "Removable"],
  ["removabledatavolume", "Removable"],
]);

/** The numbers and names of Microsoft Graph and of Win32_EncryptableVolume. */
export const decodeVolumeType = (text: string): VolumeType =>
  volumeTypeNames.get(text.toLowerCase().replace(/[^a-z0-9]/g, "")) ?? "Unknown";
