import type { RecoveryRecord } from "../site-database/recovery-record.ts";
import { BrokenFile, type Reading } from "./reading.ts";
import type { Surroundings } from "./rows.ts";
import { idWord, type Facts, type KeyId } from "./text-facts.ts";
import { otherNameIn } from "./other-names.ts";
import { addDetails, Sections, type Section } from "./text-section.ts";

/** A key further below its id than this belongs to something else. */
const mostLinesBetween = 15;

const distinct = (values: readonly string[]): readonly string[] => [...new Set(values)];

/** Whether an id that is not the first of its section begins the next one; else it makes this one doubtful. */
const endsSection = (section: Section, id: KeyId, line: number): boolean =>
  section.passwords.length > 0 ||
  section.label !== undefined ||
  section.type !== undefined ||
  idWord(section.idLabel) === idWord(id.label) ||
  line - section.idLine > mostLinesBetween;

/**
 * Pairs ids with keys by what stands in the lines, not by what they are called: an id begins a section, and the next
 * recovery password in it is its key. Never by indentation, which copying through a console, a mail or a ticket destroys.
 */
export class TextPairing {
  readonly #reading: Reading;
  readonly #sections: Sections;
  #current: Section | undefined;
  /** A key without an id before it: the id may follow. */
  #stray: { readonly password: string; readonly line: number } | undefined;
  /** The computer that a heading names for what follows. */
  #heading: string | undefined;
  #label: Facts | undefined;
  #isLabelNear = false;
  #isUnderstood = false;
  #records: RecoveryRecord[] = [];

  constructor(reading: Reading) {
    this.#reading = reading;
    this.#sections = new Sections(reading);
  }

  /** Whether there was anything that protectors have. */
  get isUnderstood(): boolean {
    return this.#isUnderstood || this.#sections.isUnderstood;
  }

  get surroundings(): Surroundings {
    return { computerName: this.#heading, isOneComputer: true };
  }

  /** Takes lines up to the next empty one. An id and a key alone in a paragraph belong together, in any order. */
  takeParagraph(paragraph: readonly Facts[]): readonly RecoveryRecord[] {
    this.#records = [];
    this.#isLabelNear = false;
    const ids = distinct(paragraph.flatMap((facts) => facts.ids.map(({ id }) => id)));
    const passwords = distinct(paragraph.flatMap((facts) => facts.passwords));
    const isWhole = ids.length === 1 && passwords.length === 1;
    const withId = paragraph.findIndex((facts) => facts.ids.length > 0);
    const isTurned = isWhole && paragraph.findIndex((facts) => facts.passwords.length > 0) < withId;
    const first = paragraph[withId];
    const id = first?.ids[0];
    if (isTurned && first !== undefined && id !== undefined) this.#begin(first, id, true);
    let hasId = isTurned;
    for (const facts of paragraph) {
      this.#takeLine(facts, hasId, isWhole);
      hasId ||= facts.ids.length > 0;
    }
    if (isWhole) this.#close();
    return this.#records;
  }

  /** The text ends here. @throws BrokenFile where it ends in the middle of a protector */
  finish(): readonly RecoveryRecord[] {
    this.#records = [];
    const label = this.#label;
    if (label?.label !== undefined && this.#sections.isKnown(label.label)) {
      throw new BrokenFile(label.number, "the file ends here, in the middle of a protector.");
    }
    this.#close();
    return this.#records;
  }

  #takeLine(facts: Facts, hasId: boolean, isWhole: boolean): void {
    if (facts.isVolume) {
      this.#isUnderstood = true;
      this.#close();
      this.#stray = undefined;
    }
    if (facts.label !== undefined && facts.label === this.#current?.label) this.#close();
    this.#nameComputer(facts, hasId);
    for (const id of facts.ids) this.#begin(facts, id, isWhole);
    for (const password of facts.passwords) this.#addPassword(password, facts.number);
    this.#checkNames(facts);
    if (this.#current !== undefined) addDetails(this.#current, facts);
    if (facts.ids.length === 1 && facts.passwords.length === 1) this.#close();
    this.#label = facts.label === undefined ? undefined : facts;
    this.#isLabelNear = true;
  }

  #close(): void {
    if (this.#current !== undefined) this.#records.push(...this.#sections.close(this.#current));
    this.#current = undefined;
  }

  #begin(facts: Facts, id: KeyId, isWhole: boolean): void {
    if (this.#current?.ids.includes(id.id) === true) return;
    const above = this.#label?.label;
    const hasOwnLabel = id.label !== "";
    const idLabel = hasOwnLabel ? id.label : (above ?? "");
    if (this.#current !== undefined && !endsSection(this.#current, { id: id.id, label: idLabel }, facts.number)) {
      this.#current.ids.push(id.id);
      return;
    }
    this.#close();
    const isLabelled = hasOwnLabel && above !== undefined && this.#isLabelNear;
    const stray = this.#stray;
    this.#stray = undefined;
    // A text that has each key before its id would give each id the next one's key; two in a section are refused.
    const isDoubtful = !isLabelled && !isWhole && stray !== undefined && facts.number - stray.line <= mostLinesBetween;
    this.#current = {
      line: isLabelled || !hasOwnLabel ? (this.#label?.number ?? facts.number) : facts.number,
      idLine: facts.number,
      ids: [id.id],
      idLabel,
      label: isLabelled ? above : undefined,
      passwords: isDoubtful ? [stray] : [],
      computerName: this.#heading,
      type: undefined,
      keyFile: undefined,
      category: undefined,
      thumbprint: undefined,
      isEmpty: false,
      malformed: undefined,
    };
  }

  #addPassword(password: string, line: number): void {
    this.#isUnderstood = true;
    const section = this.#current;
    if (section !== undefined && line - section.idLine <= mostLinesBetween) {
      if (!section.passwords.some((other) => other.password === password)) section.passwords.push({ password, line });
    } else if (this.#sections.has(password)) this.#reading.settle(password);
    else this.#stray = { password, line };
  }

  /** A name in the paragraph of an id is of that id; else it is a heading of what follows. */
  #nameComputer({ computer }: Facts, hasId: boolean): void {
    if (computer === undefined) return;
    if (this.#current !== undefined && hasId) {
      this.#current.computerName = computer;
      return;
    }
    if (computer !== this.#heading) this.#close();
    this.#heading = computer;
  }

  /** Beside the key, but without a label: what may be the name of another computer. */
  #checkNames(facts: Facts): void {
    if (this.#current === undefined || (facts.ids.length === 0 && facts.passwords.length === 0)) return;
    const other = otherNameIn(facts.text, this.#reading.computerName);
    if (other !== undefined) this.#current.computerName ??= other;
  }
}
