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

/** In words, what `decodeSince` takes. */
export const momentForm =
  "a date as 2026-11-22, a time as 2026-11-22T09:30Z (UTC when no zone is given), or how long ago as 30m, 12h, 7d, 4w";

/** The one reader of points in time that people write: for commands, and for `pep audit`. */
export const decodeSince = (typed: string): Since | undefined => {
  const [, amount, unit = ""] = /^([1-9][0-9]{0,4})([mhdw])$/i.exec(typed) ?? [];
  const unitMs = unitsMs[unit.toLowerCase()];
  if (unitMs !== undefined) return { agoMs: Number(amount) * unitMs };
  const at = decodeIso(typed);
  return at === undefined ? undefined : { at };
};

/** @returns undefined where no point in time is given */
export const momentOf = (since: Since | undefined, now: Date): Date | undefined => {
  if (since === undefined) return undefined;
  return "at" in since ? since.at : new Date(now.getTime() - since.agoMs);
};
