const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

const count = (ms: number, unitMs: number, unit: string): string => {
  const units = Math.floor(ms / unitMs);
  return `${units} ${unit}${units === 1 ? "" : "s"}`;
};

/** How old something is, in one unit: `3 weeks`. Empty where a time is none. */
export const ageInWords = (since: string, at: string): string => {
  const ms = Date.parse(at) - Date.parse(since);
  if (Number.isNaN(ms)) return "";
  if (ms < minute) return "new";
  if (ms < 2 * hour) return count(ms, minute, "minute");
  if (ms < 2 * day) return count(ms, hour, "hour");
  if (ms < 14 * day) return count(ms, day, "day");
  if (ms < 60 * day) return count(ms, 7 * day, "week");
  if (ms < 2 * 365 * day) return count(ms, 30.44 * day, "month");
  return count(ms, 365 * day, "year");
};
