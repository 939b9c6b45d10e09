import { findCsvForm, type CsvForm } from "./csv-form.ts";
import type { GivenColumns } from "./layout.ts";
import { isRestOfComment } from "./ldif.ts";
import { BrokenFile } from "./reading.ts";

export type Form =
  | { readonly kind: "json" | "ldif" | "text" | "xml" | "html" }
  | { readonly kind: "csv"; readonly csv: CsvForm };

/** An object, or a list of something; `[2026-03-12 …` is a log, and `{1F2E…}` an id. */
const json = /^(?:\{\s*(?:["}]|$)|\[\s*(?:[[{\]"\d-]|null|true|false|$))/;
const log = /^\[\d[\d-]*[T \d:.,-]*\]/;
const ldif = /^(?:version|dn):/i;

/** The first line of LDIF that says something: comments, which may be folded, come before it (RFC 2849). */
const firstLdifLine = (head: string): string =>
  head.split("\n").find((line) => line.trim() !== "" && !/^[# ]/.test(line) && !isRestOfComment(line)) ?? "";

/**
 * Tells a file's form by its content; a name ends in `.txt` too easily.
 *
 * @param head the beginning of the text
 */
export const detectForm = (head: string, given: GivenColumns): Form => {
  const start = head.trimStart();
  if (start === "") throw new BrokenFile(undefined, "nothing to import: it is empty.");
  if (json.test(start) && !log.test(start)) return { kind: "json" };
  const markup = start.replace(/^(?:<\?xml[^>]*>|#< CLIXML)\s*/i, "");
  if (/^<Obj(?:s|ects)\b/.test(markup)) return { kind: "xml" };
  if (/^<(?:!DOCTYPE html|html|head|body|table|style|meta)\b/i.test(markup)) return { kind: "html" };
  if (markup !== start) {
    throw new BrokenFile(undefined, "this is XML of another program. Make CSV or JSON of it, and import that.");
  }
  if (ldif.test(firstLdifLine(head))) return { kind: "ldif" };
  const csv = findCsvForm(head, given);
  return csv === undefined ? { kind: "text" } : { kind: "csv", csv };
};
