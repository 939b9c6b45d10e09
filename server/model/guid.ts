/** A GUID, as key ids (`RecoveryKeyId`) and volume ids are: hexadecimal digits and hyphens, in any case, for a larger expression. */
export const guidPattern = "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}";

const guid = new RegExp(`^(?:${guidPattern}|\\{${guidPattern}\\})$`);
const bracedGuid = new RegExp(`\\{(${guidPattern})\\}`);
/** Digits before each hyphen. */
const cuts = [8, 12, 16, 20] as const;

/** A whole GUID with or without braces, in any case → upper case without; undefined when it isn't one. */
export const decodeGuid = (text: string): string | undefined =>
  guid.test(text) ? (text.startsWith("{") ? text.slice(1, -1) : text).toUpperCase() : undefined;

/** The one stored form: upper case, without braces. */
export const isCanonicalGuid = (text: string): boolean => decodeGuid(text) === text;

/** The GUID in braces in the name of a recovery object of Active Directory: `2021-11-28T15:37:06-00:00{…}`. */
export const guidInName = (text: string): string | undefined => bracedGuid.exec(text)?.[1]?.toUpperCase();

/**
 * A GUID or the beginning of one, eight digits or more, with or without hyphens and braces → upper case, without braces,
 * hyphens where a GUID has them; undefined when it is neither.
 */
export const canonicalGuidOrPrefix = (typed: string): string | undefined => {
  const inside = typed.startsWith("{") && typed.endsWith("}") ? typed.slice(1, -1) : typed;
  const digits = inside.replaceAll("-", "").toUpperCase();
  if (!/^[0-9A-F]{8,32}$/.test(digits)) return undefined;
  const ends = [...cuts.filter((at) => at < digits.length), digits.length];
  const canonical = ends.map((end, index) => digits.slice(ends[index - 1] ?? 0, end)).join("-");
  const asTyped = inside.toUpperCase().replace(/-$/, "");
  return asTyped === canonical || asTyped === digits ? canonical : undefined;
};

/**
 * A key id, or the beginning of one, in which letters stand for the digits that they look like: what is wrong with it, to go
 * on from "must be …"; undefined where nothing of that kind is.
 */
export const lettersForDigits = (typed: string): string | undefined => {
  const lookAlikes = [
    { letters: /o/gi, digit: "0" },
    { letters: /[il]/gi, digit: "1" },
  ];
  const corrected = lookAlikes.reduce((text, { letters, digit }) => text.replace(letters, digit), typed);
  if (corrected === typed || canonicalGuidOrPrefix(corrected) === undefined) return undefined;
  const words = lookAlikes.flatMap(({ letters, digit }) =>
    [...new Set(typed.match(letters))].map((letter) => `the digit ${digit}, not the letter ${letter}`),
  );
  return `of digits and the letters A to F: ${words.join("; ")}`;
};
