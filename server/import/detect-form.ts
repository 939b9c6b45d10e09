import { findCsvForm, type CsvForm } from "./csv-form.ts";
import type { GivenColumns } from "./layout.ts";
import { BrokenFile } from "./reading.ts";

export type Form = { readonly kind: "json" | "ldif" | "text" } | { readonly kind: "csv"; readonly csv: CsvForm };

/** An object, or a list of something; `[2026-03-12 …` is a log, and `{1F2E…}` an id. */
const json = /^(?:\{\s*(?:["}]|$)|\[\s*(?:[[{\]"\d-]|null|true|false|$))/;
const log = /^\[\d[\d-]*[T \d:.,-]*\]/;
const ldif = /^(?:version|dn):/i;

/** The first line of LDIF that says something: comments, which may be folded, come before it (RFC 2849). */
const firstLdifLine = (head: string): string =>
  head.split("\n").find((line) => line.trim() !== "" && !line.startsWith("#") && !line.startsWith(" ")) ?? "";

/**
 * Tells a file's form by its content; a name ends in `.txt` too easily.
 *
 * @param head the beginning of the text
 */
export const detectForm = (head: string, given: GivenColumns): Form => {
  const start = head.trimStart();
  if (start === "") throw new BrokenFile(undefined, "nothing to import: it is empty.");
  if (json.test(start) && !log.test(start)) return { kind: "json" };
  if (/^(?:<\?xml[^>]*>\s*|#< CLIXML\s*)?<Objs\b/i.test(start)) {
    throw new BrokenFile(
      undefined,
      "this is CLIXML of PowerShell's Export-Clixml. Make JSON of it, and import that: " +
        "Import-Clixml FILE | ConvertTo-Json -Depth 4 | Out-File keys.json",
    );
  }
  if (ldif.test(firstLdifLine(head))) return { kind: "ldif" };
  const csv = findCsvForm(head, given);
  return csv === undefined ? { kind: "text" } : { kind: "csv", csv };
};
