import { findCsvForm, type CsvForm } from "./csv.ts";
import { BrokenFile } from "./reading.ts";

export type Form = { readonly kind: "json" | "ldif" | "manage-bde" } | { readonly kind: "csv"; readonly csv: CsvForm };

const ldif = /^(?:version|dn):/i;
/** By line, and blanks only as `[ \t]`: with `\s` these would look across lines, and take long over many empty ones. */
const manageBde = [
  /^[ \t]*ID[ \t]*[:：][ \t]*\{/im,
  /^BitLocker.*Configuration Tool/im,
  /^\S{1,40}[ \t]"?[A-Z]:\\?"?[ \t]\[/im,
];

/** The first line of LDIF that says something: comments, which may be folded, come before it (RFC 2849). */
const firstLdifLine = (head: string): string =>
  head.split("\n").find((line) => line.trim() !== "" && !line.startsWith("#") && !line.startsWith(" ")) ?? "";

/**
 * Tells a file's form by its content; a name ends in `.txt` too easily.
 *
 * @param head the beginning of the text
 */
export const detectForm = (head: string): Form => {
  const start = head.trimStart();
  if (start === "") throw new BrokenFile(undefined, "nothing to import: it is empty.");
  if (start.startsWith("{") || start.startsWith("[")) return { kind: "json" };
  if (ldif.test(firstLdifLine(head))) return { kind: "ldif" };
  const csv = findCsvForm(head);
  if (csv !== undefined) return { kind: "csv", csv };
  if (manageBde.some((pattern) => pattern.test(head))) return { kind: "manage-bde" };
  throw new BrokenFile(
    undefined,
    "this is none of the forms that can be imported: the text of manage-bde -protectors -get, JSON of PowerShell or " +
      "Microsoft Graph, LDIF of Active Directory, or CSV whose header row names a RecoveryPassword and a PasswordID.",
  );
};
