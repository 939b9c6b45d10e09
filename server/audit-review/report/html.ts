import { visibleText } from "./visible-text.ts";

const references: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Any text, for an element or a quoted attribute. */
export const htmlText = (text: string): string =>
  visibleText(text).replace(/[&<>"']/g, (character) => references[character] ?? "");

/**
 * A value for an inert `<script type="application/json">`. There the parser looks for `</script` and `<!--` only (HTML, "script
 * data state"), and JSON has `<` in strings alone, where it may be escaped.
 */
export const scriptJson = (value: unknown): string => JSON.stringify(value).replaceAll("<", "\\u003c");
