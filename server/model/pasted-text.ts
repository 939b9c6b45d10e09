/** What mails, tickets, spreadsheets and web pages put in the place of hyphens and blanks, and between them. */
const typography: readonly (readonly [RegExp, string])[] = [
  [/[\u2010-\u2015\u2212\uFE58\uFE63\uFF0D]/g, "-"],
  [/[\u00A0\u2000-\u200A\u202F\u205F\u3000]/g, " "],
  [/[\u00AD\u200B-\u200D\u2060\uFEFF]/g, ""],
];

/** A text as a keyboard would have written it: plain hyphens and blanks, nothing invisible. */
export const plainText = (text: string): string =>
  /[^\0-\u007F]/.test(text)
    ? typography.reduce((changed, [pattern, plain]) => changed.replace(pattern, plain), text)
    : text;

/** Without the blanks at its ends; a line end stays, as it is none. */
export const withoutBlanks = (text: string): string => (/[\r\n]/.test(text) ? text : text.trim());

/** `ID:`, `Key ID :` and `Schlüssel-ID：` before a key id. */
const idLabel = /^[\p{L}][\p{L} -]{0,40}?\s*[:：=]\s*(?=[{0-9A-F])/iu;
/** The end of a sentence, or of what a list had no room for. */
const endOfSentence = /[.…,;:]+$/;

/** A key id as it was copied from a list, a ticket or a mail: without the label before it and the full stop behind it. */
export const pastedId = (text: string): string =>
  withoutBlanks(withoutBlanks(plainText(text)).replace(idLabel, "").replace(endOfSentence, ""));

/**
 * A line as it was meant: without a byte order mark, without the line end of a script that Windows wrote, and without the
 * single quotes that cmd.exe, which knows none, leaves around it.
 */
export const pastedLine = (line: string): string => {
  const text = line.replace(/^\uFEFF/, "").replace(/[\r\n]{1,4}$/, "");
  const [, quoted] = /^\s*'([A-Za-z][^\r\n]*\S)'\s*$/.exec(text) ?? [];
  // A name alone in quotes is a text in PowerShell, and a line with other quotes has these for something else.
  return quoted !== undefined && /[\s|]/.test(quoted) && !quoted.includes("'") ? quoted : text;
};

/** `PS support@pep> `, copied with the line behind it. */
export const beginsWithPrompt = (line: string): boolean => /^\s*PS [^|<>]{1,100}>/.test(line);
