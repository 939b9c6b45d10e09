import type { KeyCategory } from "../command/site-database.ts";
import { namesComputer, roleOfName } from "./column-names.ts";
import { computerInName } from "./distinguished-name.ts";
import { decodeComputerName, guidsIn } from "./fields.ts";
import { isAbsent } from "./layout.ts";
import type { Line } from "./lines.ts";
import { recoveryPasswordsIn } from "./password-account.ts";
import { categoryOf, protectorKind } from "./protector-kinds.ts";
import type { RawRecord } from "./record.ts";

export interface KeyId {
  readonly id: string;
  /** What stands before it on its line, in lower case; empty where nothing does. */
  readonly label: string;
}

/** What a line says by what stands in it. */
export interface Facts extends Line {
  readonly isBlank: boolean;
  readonly ids: readonly KeyId[];
  readonly passwords: readonly string[];
  /** Digits that were meant for a recovery password and are none. */
  readonly malformed: string | undefined;
  /** `Numerical Password:`, `Mot de passe numérique :`, 数字パスワード：, in lower case. */
  readonly label: string | undefined;
  readonly isVolume: boolean;
  readonly computer: string | undefined;
  readonly protectorType: string | undefined;
  readonly keyFile: string | undefined;
  readonly thumbprint: string | undefined;
  readonly category: KeyCategory | undefined;
}

const labelLine = /^\s*(\S.*?)\s*[:：]\s*$/;
const labelled = /^\s*([^:：=]{1,60}?)\s*[:：=]\s*(\S.*)$/;
/** `ID: {…`: an id that is damaged is one all the same. */
const damagedId = /^\s*(?:ID\s*[:：]\s*(.*)|[^:：]{1,60}[:：]\s*(\{[0-9A-F-]{4,}.*))$/i;
/** `Volume C: [OS]`, `Volume "C:" [Daten]` */
const volumeLine = /^\s*\S.*"?[A-Z]:\\?"?\s+\[.*\]\s*$/i;
/** Digits enough that a recovery password was meant, right or wrong. */
const passwordLike = /(?:^|[:：=])\s*(\d{6}[- ]\d[\dA-Za-z -]*|\d{20,})\s*$/;
const keyFileLine = /^\s*(\S.*\.BEK)\s*$/i;
const thumbprintLine = /^\s*([0-9a-f]{40})\s*$/i;
/** manage-bde's, below an external key. Its other languages' words are not known here: then nothing is said. */
const autoUnlockLine = /^\s*Automatic unlock enabled\.\s*$/i;
const directoryName = /(?:LDAP:\/\/(?:[^/\s]+\/)?)?(CN=.*,DC=[^,\s]+)/i;

/** Ids of other things stand beside keys in mails and reports, and none of them is a key's. */
const otherThings =
  /\b(?:device|volume|disk|user|tenant|object|computer|machine|hardware|profile|session|client|ger[äa]te?|benutzer|appareil|equipo|dispositivo)\b/;
const keyWords = /key|recovery|password|protector|kennwort|schl[üu]ssel|wiederherstellung|cl[ée]|clave|chiave/;

const isOtherThing = (label: string): boolean => {
  const words = label.split(/\s+/).slice(-3).join(" ");
  return otherThings.test(words) && !keyWords.test(words);
};

const idsIn = (text: string): readonly KeyId[] => {
  let from = 0;
  const found: KeyId[] = [];
  for (const { guid, index } of guidsIn(text)) {
    const label = text
      .slice(from, index)
      .replace(/[\s:：={("'“]+$/, "")
      .trim()
      .toLowerCase();
    from = index + guid.length;
    if (!isOtherThing(label) && !found.some(({ id }) => id === guid)) found.push({ id: guid, label });
  }
  return found;
};

/** The last words before an id, by which ids of one kind are told in one text. */
export const idWord = (label: string): string => /[\p{L}\p{N}_-]+$/u.exec(label)?.[0] ?? "";

/** A PowerShell transcript begins with the machine of the console, on which keys of others may be shown. */
const consoleMachine = /\((?:Microsoft Windows NT|Unix|Darwin) [\d.]+\)$/;

const computerIn = (text: string, label: string | undefined, value: string): string | undefined => {
  const name = directoryName.exec(text)?.[1];
  if (name !== undefined) return computerInName(name);
  if (label === undefined || !namesComputer(label) || consoleMachine.test(value)) return undefined;
  const word = value.split(/\s/)[0] ?? "";
  // What can't be a name is refused with the key it stands at, and not taken for nothing.
  return isAbsent(word) ? undefined : (decodeComputerName(word) ?? word);
};

/** `Thumbprint :` of a list is a property without a value, and no label of what follows. */
const labelIn = (text: string): string | undefined => {
  const label = labelLine.exec(text)?.[1];
  const role = label === undefined ? undefined : roleOfName(label);
  return role === undefined || role === "password" ? label?.toLowerCase() : undefined;
};

export const factsOf = ({ number, text }: Line): Facts => {
  const [, before, value = ""] = labelled.exec(text) ?? [];
  const ids = idsIn(text);
  const passwords = [...new Set(recoveryPasswordsIn(text).map(({ password }) => password))];
  const damaged = ids.length > 0 ? undefined : damagedId.exec(text);
  const damagedText = damaged?.[1] ?? damaged?.[2];
  return {
    number,
    text,
    isBlank: text.trim() === "",
    ids: damagedText === undefined || guidsIn(text).length > 0 ? ids : [{ id: damagedText.trim(), label: "id" }],
    passwords,
    malformed: passwords.length > 0 ? undefined : passwordLike.exec(text)?.[1],
    label: labelIn(text),
    isVolume: volumeLine.test(text),
    computer: computerIn(text, before, value),
    protectorType: before !== undefined && roleOfName(before) === "protectorType" ? value.trim() : undefined,
    keyFile:
      keyFileLine.exec(text)?.[1] ??
      (before !== undefined && roleOfName(before) === "fileName" ? value.trim() : undefined),
    thumbprint:
      thumbprintLine.exec(text)?.[1] ??
      (before !== undefined && roleOfName(before) === "thumbprint" ? value.trim() : undefined),
    category: autoUnlockLine.test(text)
      ? "Managed"
      : categoryOf(before !== undefined && roleOfName(before) === "autoUnlock" ? value.trim() : undefined),
  };
};

type Kind = RawRecord["protector"]["kind"] | "Other";

/** Labels that are known whatever stands below them; a translated label is known by what stands below it. */
export const labelKinds: ReadonlyMap<string, Kind> = new Map([
  ["numerical password", "NumericalPassword"],
  ["numerisches kennwort", "NumericalPassword"],
  ["external key", "ExternalKey"],
  ["data recovery agent (certificate based)", "DataRecoveryAgent"],
  ["smart card (certificate based)", "Other"],
  ["tpm", "Other"],
  ["tpm and pin", "Other"],
  ["tpm and startup key", "Other"],
  ["tpm and pin and startup key", "Other"],
  ["password", "Other"],
]);

export const kindOfType = (type: string): Kind => protectorKind(type) ?? "Other";
