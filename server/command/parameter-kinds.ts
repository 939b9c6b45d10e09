import { canonicalComputerName } from "../model/computer-name.ts";
import { canonicalGuidOrPrefix, lettersForDigits } from "../model/guid.ts";
import { pastedId } from "../model/pasted-text.ts";
import { decodeSince, momentForm, type Since } from "../model/moment.ts";
import { canonicalSearchPiece } from "../model/search-piece.ts";
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

/** A certificate's thumbprint as SQL Server, Windows and this endpoint show it: `0x`, spaces and colons are left out. */
export const certificateThumbprint: Kind<string> = {
  placeholder: "<thumbprint>",
  expects: "a certificate's thumbprint: the 40 hexadecimal digits of SHA-1 or the 64 of SHA-256",
  decode: (typed) => {
    const digits = typed.replaceAll(/[\s:]/g, "").replace(/^0x/i, "").toLowerCase();
    return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(digits) ? { value: digits, text: digits } : mismatch;
  },
};

/** A part of a computer's name or of a key id; how long it must be, a role says. */
export const searchPiece: Kind<string> = {
  placeholder: "<piece>",
  expects: "a part of a computer's name or of a key id, without wildcards",
  decode: (typed) => {
    const piece = canonicalSearchPiece(typed);
    return piece === undefined ? mismatch : { value: piece, text: piece };
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

/** A date, a date with time, or so long ago. Without a zone it is UTC, as every time this endpoint shows. */
export const since: Kind<Since> = {
  placeholder: "<date>",
  expects: momentForm,
  decode: (typed) => {
    const decoded = decodeSince(typed);
    if (decoded === undefined) return mismatch;
    return { value: decoded, text: "at" in decoded ? typed.toUpperCase() : typed.toLowerCase() };
  },
};
