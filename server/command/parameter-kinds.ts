import { canonicalComputerName } from "../model/computer-name.ts";
import { canonicalGuidOrPrefix, lettersForDigits } from "../model/guid.ts";
import { pastedId } from "../model/pasted-text.ts";
import { isUserName } from "../model/user-name.ts";
import type { Kind } from "./parameters.ts";

const mismatch = { problem: "value" } as const;

/** Some of a closed set of words, compared without case, taken in the set's own spelling. */
export const oneOf = <const T extends string>(values: readonly T[]): Kind<T> => ({
  placeholder: `<${values.join("|")}>`,
  expects: `one of: ${values.join(", ")}`,
  values,
  decode: (text) => {
    const found = values.find((value) => value.toLowerCase() === text.toLowerCase());
    return found === undefined ? mismatch : { value: found, text: found };
  },
});

/** A text of one line that fits a regular expression; `fits` must be anchored and can't backtrack. */
export const text = (kind: { placeholder: string; expects: string; fits: RegExp }): Kind<string> => ({
  placeholder: kind.placeholder,
  expects: kind.expects,
  decode: (typed) => (kind.fits.test(typed) ? { value: typed, text: typed } : mismatch),
});

/** Free words for the record, with some to choose from; those are taken in their own spelling. */
export const freeText = (kind: {
  placeholder: string;
  expects: string;
  longest: number;
  suggestions: readonly string[];
}): Kind<string> => ({
  placeholder: kind.placeholder,
  expects: kind.expects,
  suggestions: kind.suggestions,
  decode: (typed) => {
    if (typed.trim() === "" || typed.length > kind.longest || /\p{Cc}/u.test(typed)) return mismatch;
    const suggested = kind.suggestions.find((words) => words.toLowerCase() === typed.trim().toLowerCase());
    const kept = suggested ?? typed.trim();
    return { value: kept, text: kept };
  },
});

/** 1,000,000. Not toLocaleString: its first call loads ICU's tables, 40 ms of every start for the texts of three parameters. */
const grouped = (number: number): string => String(number).replaceAll(/\B(?=(?:\d{3})+$)/g, ",");

export const integer = (least: number, most: number): Kind<number> => ({
  placeholder: "<number>",
  expects: `a whole number from ${least} to ${grouped(most)}`,
  decode: (typed) => {
    const number = /^[0-9]{1,9}$/.test(typed) ? Number(typed) : Number.NaN;
    return number >= least && number <= most ? { value: number, text: String(number) } : mismatch;
  },
});

/** A computer's exact name, by the rule of the import; the domain and the `$` of its account are left out. */
export const computerName: Kind<string> = {
  placeholder: "<name>",
  expects: "a computer's exact name: letters, digits, dots, hyphens and underscores, no wildcards",
  decode: (typed) => {
    const name = canonicalComputerName(typed);
    return name === undefined ? mismatch : { value: name, text: name };
  },
};

/** A key id: a GUID, or at least its first eight digits, with or without braces. */
export const keyIdOrPrefix: Kind<string> = {
  placeholder: "<GUID>",
  expects: "a key id: a GUID with or without braces, or its first 8 or more hexadecimal digits",
  decode: (typed) => {
    const id = pastedId(typed);
    const canonical = canonicalGuidOrPrefix(id);
    if (canonical !== undefined) return { value: canonical, text: canonical };
    // The recovery screen is read out on the telephone, and typed by somebody else.
    return { problem: lettersForDigits(id) ?? mismatch.problem };
  },
};

/** A request for approval. */
export const requestId: Kind<string> = {
  placeholder: "<id>",
  expects: "a request's id, as E-0123456789",
  decode: (typed) =>
    /^E-[0-9A-F]{10}$/i.test(typed) ? { value: typed.toUpperCase(), text: typed.toUpperCase() } : mismatch,
};

/** A session, as the record names it. Nothing else: it becomes part of a file's name. */
export const sessionId: Kind<string> = {
  placeholder: "<id>",
  expects: "a session's id, as S-0123456789abcdef",
  decode: (typed) =>
    /^S-[0-9a-f]{16}$/i.test(typed)
      ? { value: `S-${typed.slice(2).toLowerCase()}`, text: `S-${typed.slice(2).toLowerCase()}` }
      : mismatch,
};

/** A user's name, as log-in and the roles know it. */
export const userName: Kind<string> = {
  placeholder: "<user>",
  expects: "a user's name: up to 64 letters, digits, dots, hyphens, underscores and @",
  decode: (typed) => (isUserName(typed) ? { value: typed.toLowerCase(), text: typed.toLowerCase() } : mismatch),
};

/** A command's whole name; whether there is such a one is not said, as its asker may not see it. */
export const commandName = text({
  placeholder: "<command>",
  expects: "a command's whole name",
  fits: /^[A-Za-z][A-Za-z0-9-]{0,63}$/,
});

/** A short signed note: base64, because no line of a command may hold line breaks. */
export const noteInBase64: Kind<string> = {
  placeholder: "<base64>",
  expects: "a checkpoint file's content as base64: base64 -w0 checkpoint",
  decode: (typed) => {
    if (!/^[A-Za-z0-9+/]{40,4096}={0,2}$/.test(typed) || typed.length % 4 !== 0) return mismatch;
    const note = new TextDecoder().decode(Uint8Array.from(atob(typed), (character) => character.charCodeAt(0)));
    return note.includes("\n\n") ? { value: note, text: typed } : mismatch;
  },
};

export const wholeKeyIdLength = 36;

/** A moment: fixed, or so long before the command runs. */
export type Since = { readonly at: Date } | { readonly agoMs: number };

const unitsMs: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const isoDate = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.\d{1,7})?)?(Z|[+-]\d{2}:\d{2})?)?$/i;

const decodeIso = (typed: string): Date | undefined => {
  const parts = isoDate.exec(typed);
  if (parts === null) return undefined;
  const [, year, month, day, hour = "00", minute = "00", second = "00", zone = "Z"] = parts;
  const date = `${year}-${month}-${day}`;
  const at = new Date(`${date}T${hour}:${minute}:${second}${zone.toUpperCase()}`);
  if (Number.isNaN(at.getTime())) return undefined;
  // The 30th of February rolls over to March in some engines and is an error in others: compare it with itself.
  const start = new Date(`${date}T00:00:00Z`);
  return Number.isNaN(start.getTime()) || start.toISOString().slice(0, 10) !== date ? undefined : at;
};

/** A date, a date with time, or so long ago. Without a zone it is UTC, as every time this endpoint shows. */
export const since: Kind<Since> = {
  placeholder: "<date>",
  expects:
    "a date as 2026-11-22, a time as 2026-11-22T09:30Z (UTC when no zone is given), or how long ago as 30m, 12h, 7d, 4w",
  decode: (typed) => {
    const ago = /^([1-9][0-9]{0,4})([mhdw])$/i.exec(typed);
    const unitMs = ago === null ? undefined : unitsMs[(ago[2] ?? "").toLowerCase()];
    if (ago !== null && unitMs !== undefined)
      return { value: { agoMs: Number(ago[1]) * unitMs }, text: typed.toLowerCase() };
    const at = decodeIso(typed);
    return at === undefined ? mismatch : { value: { at }, text: typed.toUpperCase() };
  },
};

/** Of a parameter that may be left out. */
export const momentOf = (since: Since | undefined, now: Date): Date | undefined => {
  if (since === undefined) return undefined;
  return "at" in since ? since.at : new Date(now.getTime() - since.agoMs);
};
