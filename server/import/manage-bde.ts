import type { RecoveryRecord } from "../site-database/recovery-record.ts";
import { readLines, type Line } from "./lines.ts";
import { BrokenFile, type Reading } from "./reading.ts";
import { checkRecord, type RawRecord } from "./record.ts";

/** One protector of the text: its label (`Numerical Password:`), its id, and the lines up to the next label. */
interface Section {
  readonly label: Line;
  readonly id: string;
  readonly body: readonly Line[];
}

const idLine = /^\s*ID\s*[:：]\s*(.*?)\s*$/i;
/** `Numerical Password:`, `Mot de passe numérique :`, 数字パスワード： */
const labelLine = /^\s*\S.*[:：]\s*$/;
/** `Volume C: [OS]`, `Volume "C:" [Daten]` */
const volumeLine = /^\s*\S.*"?[A-Z]:\\?"?\s+\[.*\]\s*$/i;
/** Digits enough that a recovery password was meant, right or wrong. */
const passwordLike = /^\s*(?:\d{6}[- ]\d[\dA-Za-z -]*|\d{20,})\s*$/;
const keyFile = /^\s*(\S.*\.BEK)\s*$/i;
const thumbprint = /^\s*([0-9a-f]{40})\s*$/i;

/** A console's lines are short; the patterns above are not made for long ones. */
const longestLine = 1000;

const normalLabel = (label: string): string =>
  label
    .trim()
    .replace(/\s*[:：]$/, "")
    .toLowerCase();

/** Labels that are known whatever stands below them; a translated label is known by what stands below it. */
const kinds: ReadonlyMap<string, RawRecord["protector"]["kind"] | "Other"> = new Map([
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

/**
 * Cuts the text into protectors by its `ID:` lines: the label is the line above.
 * Not by indentation, which copying through a console, a mail or a ticket destroys.
 */
async function* readSections(pieces: AsyncIterable<string>): AsyncGenerator<Section> {
  let label: Line | undefined;
  let current: { readonly label: Line; readonly id: string; readonly body: Line[] } | undefined;
  for await (const lines of readLines(pieces)) {
    for (const line of lines) {
      if (line.text.trim() === "") continue;
      if (line.text.length > longestLine) throw new BrokenFile(line.number, "this is not a line of manage-bde's text.");
      const id = idLine.exec(line.text)?.[1];
      if (id !== undefined) {
        if (label === undefined) throw new BrokenFile(line.number, "an ID without a protector above it.");
        if (current !== undefined) yield current;
        current = { label, id, body: [] };
        label = undefined;
        continue;
      }
      // Held back for one line: it is the next protector's label, or a label within this one ("Password:").
      if (label !== undefined) current?.body.push(label);
      label = undefined;
      if (volumeLine.test(line.text)) {
        if (current !== undefined) yield current;
        current = undefined;
      } else if (labelLine.test(line.text)) {
        label = line;
      } else {
        current?.body.push(line);
      }
    }
  }
  if (label !== undefined) throw new BrokenFile(label.number, "the file ends here, in the middle of a protector.");
  if (current !== undefined) yield current;
}

const matchIn = (body: readonly Line[], pattern: RegExp): string | undefined =>
  body.map(({ text }) => pattern.exec(text)?.[1]).find((match) => match !== undefined);

/**
 * Reads the text of `manage-bde -protectors -get`, in any language of Windows.
 *
 * The labels are translated, so a recovery password is known by its digits; a label under which one was seen is one of
 * recovery passwords from then on, so that a later protector without its digits is noticed.
 */
export async function* readManageBde(pieces: AsyncIterable<string>, reading: Reading): AsyncGenerator<RecoveryRecord> {
  if (reading.computerName === undefined) {
    throw new BrokenFile(
      undefined,
      "this text of manage-bde does not say which computer it is of; give --computer-name NAME.",
    );
  }
  const labels = new Map(kinds);
  for await (const { label, id, body } of readSections(pieces)) {
    const name = normalLabel(label.text);
    const password = body.find(({ text }) => passwordLike.test(text));
    const file = matchIn(body, keyFile);
    const known = labels.get(name);
    const kind =
      known ?? (password !== undefined ? "NumericalPassword" : file !== undefined ? "ExternalKey" : undefined);
    if (kind === undefined || kind === "Other") {
      reading.passOver(label.number);
      continue;
    }
    if (kind === "NumericalPassword") labels.set(name, kind);
    if (kind === "NumericalPassword" && password === undefined) {
      reading.refuse(label.number, "this protector's recovery password is missing: is the file cut off?");
      continue;
    }
    const common = { line: label.number, computerName: undefined, keyId: id };
    const record = checkRecord(
      kind === "NumericalPassword"
        ? {
            ...common,
            protector: { kind, password: password?.text ?? "", passwordLine: password?.number ?? label.number },
          }
        : kind === "ExternalKey"
          ? { ...common, protector: { kind, fileName: file } }
          : { ...common, protector: { kind, certificateThumbprint: matchIn(body, thumbprint) } },
      reading,
    );
    if (record !== undefined) yield record;
  }
}
