import type { KeyCategory } from "../command/site-database.ts";
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
  category: KeyCategory | undefined;
  /** `RecoveryPassword :` with nothing behind it, as protectors of other kinds have it in PowerShell's lists. */
  isEmpty: boolean;
  malformed: { readonly text: string; readonly line: number } | undefined;
}

/** Adds what a line says besides ids and passwords. */
export const addDetails = (section: Section, facts: Facts): void => {
  section.type ??= facts.protectorType;
  section.keyFile ??= facts.keyFile;
  section.thumbprint ??= facts.thumbprint;
  section.category ??= facts.category;
  section.isEmpty ||= plainName(facts.label ?? "") === "recoverypassword";
  if (facts.malformed !== undefined) section.malformed ??= { text: facts.malformed, line: facts.number };
};

/** How many ids without a key are remembered of each label. */
const remembered = 20;

/**
 * Makes records of sections. A label is only a hint, as Windows translates it: a label under which a recovery password was
 * seen is one of recovery passwords from then on, so that a later protector without its digits is noticed.
 */
export class Sections {
  readonly #reading: Reading;
  readonly #kinds = new Map(labelKinds);
  readonly #stored = new Set<string>();
  readonly #withPassword = new Set<string>();
  readonly #without = new Map<string, number[]>();
  #isUnderstood = false;

  constructor(reading: Reading) {
    this.#reading = reading;
  }

  /** Whether a record or a protector was seen. */
  get isUnderstood(): boolean {
    return this.#isUnderstood;
  }

  /** Whether protectors with this label are known. */
  isKnown(label: string): boolean {
    return this.#kinds.has(label);
  }

  /** Whether a record with this password was read. */
  has(password: string): boolean {
    return this.#stored.has(password);
  }

  close(section: Section): readonly RecoveryRecord[] {
    const { passwords, malformed } = section;
    const [first] = passwords;
    if (malformed !== undefined && (first === undefined || malformed.line < first.line)) {
      const protector = {
        kind: "NumericalPassword",
        password: malformed.text,
        passwordLine: malformed.line,
      } as const;
      // A well-formed one below may be another protector's, whose id is lost.
      for (const { password } of passwords) this.#reading.settle(password);
      return this.#check(section, protector);
    }
    if (first === undefined) return this.#closeWithout(section);
    this.#learn(section);
    if (section.ids.length > 1)
      return this.#refuse(section, `two key ids stand before the recovery password of line ${first.line}.`);
    if (passwords.length > 1) {
      const lines = passwords.map(({ line }) => line).join(" and ");
      return this.#refuse(section, `two recovery passwords stand beside one key id (lines ${lines}).`);
    }
    return this.#check(section, { kind: "NumericalPassword", password: first.password, passwordLine: first.line });
  }

  #check(section: Section, protector: RawRecord["protector"]): readonly RecoveryRecord[] {
    this.#isUnderstood = true;
    const { computerName } = section;
    if (computerName === undefined && this.#reading.computerName === undefined) {
      throw new BrokenFile(undefined, "this text does not say which computer it is of; give --computer-name NAME.");
    }
    const [keyId] = section.ids;
    const record = checkRecord(
      { line: section.line, computerName, keyId, isOneComputer: true, protector },
      this.#reading,
    );
    if (record !== undefined && protector.kind === "NumericalPassword") this.#stored.add(protector.password);
    return record === undefined ? [] : [record];
  }

  #refuse(section: Section, message: string): readonly RecoveryRecord[] {
    this.#isUnderstood = true;
    this.#reading.refuse(section.line, message, section.passwords.map(({ password }) => password).join("\n"));
    return [];
  }

  /** An id that stands alone in a text is of many things; one under a label that had a key has lost its own. */
  #missKey(section: Section): readonly RecoveryRecord[] {
    const word = idWord(section.idLabel);
    if (this.#withPassword.has(word))
      return this.#refuse(section, "no recovery password follows this key id: is the file cut off?");
    const lines = this.#without.get(word) ?? [];
    if (word !== "" && lines.length < remembered && this.#without.size < remembered)
      this.#without.set(word, [...lines, section.line]);
    return [];
  }

  #closeWithout(section: Section): readonly RecoveryRecord[] {
    const { label, type } = section;
    const isOtherProtector = section.isEmpty && plainName(idWord(section.idLabel)) === "keyprotectorid";
    if (section.ids.length > 1 || (label === undefined && type === undefined && !isOtherProtector))
      return this.#missKey(section);
    this.#isUnderstood = true;
    const known = type === undefined ? this.#kinds.get(label ?? "") : kindOfType(type);
    switch (known ?? (section.keyFile === undefined ? "Other" : "ExternalKey")) {
      case "NumericalPassword":
        return this.#refuse(section, "this protector's recovery password is missing: is the file cut off?");
      case "ExternalKey":
        return this.#check(section, { kind: "ExternalKey", fileName: section.keyFile, category: section.category });
      case "DataRecoveryAgent":
        return this.#check(section, { kind: "DataRecoveryAgent", certificateThumbprint: section.thumbprint });
      case "Other":
        this.#reading.passOver(section.line);
        return [];
    }
  }

  #learn(section: Section): void {
    if (section.label !== undefined) this.#kinds.set(section.label, "NumericalPassword");
    if (section.label !== undefined || section.type !== undefined) return;
    const word = idWord(section.idLabel);
    if (word === "") return;
    this.#withPassword.add(word);
    for (const line of this.#without.get(word) ?? [])
      this.#reading.refuse(line, "no recovery password follows this key id.");
    this.#without.delete(word);
  }
}
