const two = (value: number): string => String(value).padStart(2, "0");

/** `0:07`, `12:40`, `1:02:03`. */
export const clockText = (timeMs: number): string => {
  const seconds = Math.floor(timeMs / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
};

/** A time as typed: seconds, `m:ss`, `h:mm:ss`, or a part of the whole as `50%`. Undefined when it is none of these. */
export const parseClock = (typed: string, durationMs: number): number | undefined => {
  const text = typed.trim();
  const percent = /^(\d{1,3})%$/.exec(text);
  if (percent !== null) return (Math.min(100, Number(percent[1])) / 100) * durationMs;
  if (!/^\d{1,6}(?::\d{1,2}){0,2}(?:\.\d{1,3})?$/.test(text)) return undefined;
  return Math.round(text.split(":").reduce((sum, part) => sum * 60 + Number(part), 0) * 1000);
};
