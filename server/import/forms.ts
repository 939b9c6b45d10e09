import type { SiteRecord } from "../site-database/recovery-record.ts";
import { readCsv } from "./csv.ts";
import { findCsvForm } from "./csv-form.ts";
import { readHtmlObjects } from "./html-objects.ts";
import { readJsonObjects } from "./json-objects.ts";
import type { GivenColumns } from "./layout.ts";
import { isRestOfComment, readLdif } from "./ldif.ts";
import { readObjects } from "./objects.ts";
import { BrokenFile, type Reading } from "./reading.ts";
import { readText } from "./text.ts";
import { readXmlObjects } from "./xml-objects.ts";

/** An object, or a list of something; `[2026-03-12 …` is a log, and `{1F2E…}` an id. */
const json = /^(?:\{\s*(?:["}]|$)|\[\s*(?:[[{\]"\d-]|null|true|false|$))/;
const log = /^\[\d[\d-]*[T \d:.,-]*\]/;
const ldif = /^(?:version|dn):/i;

/** The first line of LDIF that says something: comments, which may be folded, come before it (RFC 2849). */
const firstLdifLine = (head: string): string =>
  head.split("\n").find((line) => line.trim() !== "" && !/^[# ]/.test(line) && !isRestOfComment(line)) ?? "";

interface File {
  /** The beginning of the text. */
  readonly head: string;
  /** The same without blanks before it. */
  readonly start: string;
  /** The same without what stands before markup's first element. */
  readonly markup: string;
  readonly given: GivenColumns;
}

type Reader = (text: AsyncIterable<string>, reading: Reading) => AsyncIterable<SiteRecord>;

/** Every form but running text: how its content tells it, and what reads it. The first that recognises a file reads it. */
const forms: readonly ((file: File) => Reader | undefined)[] = [
  ({ start, given }) =>
    json.test(start) && !log.test(start)
      ? (text, reading) => readObjects(readJsonObjects(text), reading, given)
      : undefined,
  ({ markup, given }) =>
    /^<Obj(?:s|ects)\b/.test(markup) ? (text, reading) => readObjects(readXmlObjects(text), reading, given) : undefined,
  ({ markup, given }) =>
    /^<(?:!DOCTYPE html|html|head|body|table|style|meta)\b/i.test(markup)
      ? (text, reading) => readObjects(readHtmlObjects(text), reading, given)
      : undefined,
  ({ start, markup }) => {
    if (markup === start) return undefined;
    throw new BrokenFile(undefined, "this is XML of another program. Make CSV or JSON of it, and import that.");
  },
  ({ head }) => (ldif.test(firstLdifLine(head)) ? readLdif : undefined),
  ({ head, given }) => {
    const csv = findCsvForm(head, given);
    return csv && ((text, reading) => readCsv(text, csv, reading, given));
  },
];

/**
 * Finds what reads a file, by its content; a name ends in `.txt` too easily.
 *
 * @param head the beginning of the text
 * @throws BrokenFile when it is empty, or what no form can be
 */
export const findReader = (head: string, given: GivenColumns): Reader => {
  const start = head.trimStart();
  if (start === "") throw new BrokenFile(undefined, "nothing to import: it is empty.");
  const file: File = { head, start, markup: start.replace(/^(?:<\?xml[^>]*>|#< CLIXML)\s*/i, ""), given };
  for (const recognise of forms) {
    const reader = recognise(file);
    if (reader !== undefined) return reader;
  }
  return readText;
};
