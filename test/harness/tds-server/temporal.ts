/*
 * Times as the wire has them. Values are exact text (`2026-11-22T09:30:00.1234567`), because a Date ends at the millisecond
 * and a test of rounding must see more than that; a Date is taken for writing where milliseconds are enough.
 */

const dayMs = 86_400_000;
const dayOneMs = Date.parse("0001-01-01T00:00:00Z");
const day1900Ms = Date.parse("1900-01-01T00:00:00Z");

export interface DayAndTicks {
  /** Days since the type's first day. */
  readonly days: number;
  /** Since midnight, in units of 10^-scale seconds (datetime2) or 1/300 second (datetime). */
  readonly ticks: number;
}

const split = (
  value: string | Date,
): { readonly dayMs: number; readonly seconds: number; readonly fraction: string } => {
  const text = value instanceof Date ? value.toISOString() : value;
  const match = /^(\d{4}-\d\d-\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,7}))?Z?$/.exec(text);
  if (match === null) throw new TypeError(`no date and time: ${text}`);
  const [, date = "", hours, minutes, seconds, fraction = ""] = match;
  return {
    dayMs: Date.parse(`${date}T00:00:00Z`),
    seconds: Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds),
    fraction,
  };
};

const join = (atDayMs: number, seconds: number, fraction: string): string => {
  const whole = new Date(atDayMs + seconds * 1000).toISOString().slice(0, 19);
  return fraction === "" ? whole : `${whole}.${fraction}`;
};

export const toDatetime2 = (value: string | Date, scale: number): DayAndTicks => {
  const { dayMs: at, seconds, fraction } = split(value);
  const digits = fraction.padEnd(scale, "0").slice(0, scale);
  return { days: (at - dayOneMs) / dayMs, ticks: seconds * 10 ** scale + Number(digits === "" ? 0 : digits) };
};

export const fromDatetime2 = ({ days, ticks }: DayAndTicks, scale: number): string => {
  const unit = 10 ** scale;
  const fraction = scale === 0 ? "" : String(ticks % unit).padStart(scale, "0");
  return join(dayOneMs + days * dayMs, Math.floor(ticks / unit), fraction);
};

export const toDatetime = (value: string | Date): DayAndTicks => {
  const { dayMs: at, seconds, fraction } = split(value);
  return { days: (at - day1900Ms) / dayMs, ticks: seconds * 300 + Math.round(Number(`0.${fraction}`) * 300) };
};

/** With three digits, as SQL Server shows a datetime: `.000`, `.003`, `.007`, … */
export const fromDatetime = ({ days, ticks }: DayAndTicks): string =>
  join(
    day1900Ms + days * dayMs,
    Math.floor(ticks / 300),
    String(Math.round(((ticks % 300) * 1000) / 300)).padStart(3, "0"),
  );
