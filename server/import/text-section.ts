import type { RecoveryRecord } from "../site-database/recovery-record.ts";
import { plainName } from "./column-names.ts";
import { BrokenFile, type Reading } from "./reading.ts";
import { checkRecord, type RawRecord } from "./record.ts";
import { idWord, kindOfType, labelKinds, type Facts } from "./text-facts.ts";

/** One protector of a text: an id, and what follows up to the next one. */
export interface Section {
  /** Where it is said to begin: its label above the id, or the id. */
  readonly line: number;
  readonly idLine: number;
  /** More than one: it can't be told which of them the key is of. */
  readonly ids: string[];
  readonly idLabel: string;
  /** `Numerical Password:`, above the id. */
  readonly label: string | undefined;
  readonly passwords: { readonly password: string; readonly line: number }[];
  computerName: string | undefined;
  type: string | undefined;
  keyFile: string | undefined;
  thumbprint: string | undefined;
  /** `RecoveryPassword :` with nothing behind it, as protectors of other kinds have it in PowerShell's lists. */
  isEmpty: boolean;
  malformed: { readonly text: string; readonly line: number } | undefined;
}

/** Adds what a line says besides ids and passwords. */
export const addDetails = (section: Section, facts: Facts): void => {
  section.type ??= facts.protectorType;
  section.keyFile ??= facts.keyFile;
  section.thumbprint ??= facts.thumbprint;
  section.isEmpty ||= plainName(facts.label ?? "") === "recoverypassword";
  if (facts.malformed !== undefined) section.malformed ??= { text: facts.malformed, line: facts.number };
};

/** How many ids without a key are remembered of each label. */
const remembered = 20;

export interface Sections {
  close(section: Section): readonly RecoveryRecord[];
  /** Whether protectors with this label are known. */
  isKnown(label: string): boolean;
  /** Whether a record or a protector was seen. */
  readonly isUnderstood: boolean;
  /** Whether a record with this password was read. */
  has(password: string): boolean;
}

/**
 * Makes records of sections. A label is only a hint, as Windows translates it: a label under which a recovery password was
 * seen is one of recovery passwords from then on, so that a later protector without its digits is noticed.
 */
export const createSections = (reading: Reading): Sections => {
  const kinds = new Map(labelKinds);
  const stored = new Set<string>();
  const withPassword = new Set<string>();
  const without = new Map<string, number[]>();
  let isUnderstood = false;

  const check = (section: Section, protector: RawRecord["protector"]): readonly RecoveryRecord[] => {
    isUnderstood = true;
    const { computerName } = section;
    if (computerName === undefined && reading.computerName === undefined) {
      throw new BrokenFile(undefined, "this text does not say which computer it is of; give --computer-name NAME.");
    }
    const [keyId] = section.ids;
    const record = checkRecord({ line: section.line, computerName, keyId, isOneComputer: true, protector }, reading);
    if (record !== undefined && protector.kind === "NumericalPassword") stored.add(protector.password);
    return record === undefined ? [] : [record];
  };

  const refuse = (section: Section, message: string): readonly RecoveryRecord[] => {
    isUnderstood = true;
    reading.refuse(section.line, message, section.passwords.map(({ password }) => password).join("\n"));
    return [];
  };

  /** An id that stands alone in a text is of many things; one under a label that had a key has lost its own. */
  const missKey = (section: Section): readonly RecoveryRecord[] => {
    const word = idWord(section.idLabel);
    if (withPassword.has(word))
      return refuse(section, "no recovery password follows this key id: is the file cut off?");
    const lines = without.get(word) ?? [];
    if (word !== "" && lines.length < remembered && without.size < remembered)
      without.set(word, [...lines, section.line]);
    return [];
  };

  const closeWithout = (section: Section): readonly RecoveryRecord[] => {
    const { label, type } = section;
    const isOtherProtector = section.isEmpty && plainName(idWord(section.idLabel)) === "keyprotectorid";
    if (section.ids.length > 1 || (label === undefined && type === undefined && !isOtherProtector))
      return missKey(section);
    isUnderstood = true;
    const known = type === undefined ? kinds.get(label ?? "") : kindOfType(type);
    switch (known ?? (section.keyFile === undefined ? "Other" : "ExternalKey")) {
      case "NumericalPassword":
        return refuse(section, "this protector's recovery password is missing: is the file cut off?");
      case "ExternalKey":
        return check(section, { kind: "ExternalKey", fileName: section.keyFile });
      case "DataRecoveryAgent":
        return check(section, { kind: "DataRecoveryAgent", certificateThumbprint: section.thumbprint });
      case "Other":
        reading.passOver(section.line);
        return [];
    }
  };

  const learn = (section: Section): void => {
    if (section.label !== undefined) kinds.set(section.label, "NumericalPassword");
    if (section.label !== undefined || section.type !== undefined) return;
    const word = idWord(section.idLabel);
    if (word === "") return;
    withPassword.add(word);
    for (const line of without.get(word) ?? []) reading.refuse(line, "no recovery password follows this key id.");
    without.delete(word);
  };

  return {
    close: (section) => {
      const { passwords, malformed } = section;
      const [first] = passwords;
      if (malformed !== undefined && (first === undefined || malformed.line < first.line)) {
        const protector = {
          kind: "NumericalPassword",
          password: malformed.text,
          passwordLine: malformed.line,
        } as const;
        // A well-formed one below may be another protector's, whose id is lost.
        for (const { password } of passwords) reading.settle(password);
        return check(section, protector);
      }
      if (first === undefined) return closeWithout(section);
      learn(section);
      if (section.ids.length > 1)
        return refuse(section, `two key ids stand before the recovery password of line ${first.line}.`);
      if (passwords.length > 1) {
        const lines = passwords.map(({ line }) => line).join(" and ");
        return refuse(section, `two recovery passwords stand beside one key id (lines ${lines}).`);
      }
      return check(section, { kind: "NumericalPassword", password: first.password, passwordLine: first.line });
    },
    isKnown: (label) => kinds.has(label),
    get isUnderstood() {
      return isUnderstood;
    },
    has: (password) => stored.has(password),
  };
};
