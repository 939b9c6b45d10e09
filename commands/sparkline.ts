const bars = "▁▂▃▄▅▆▇█";
const mostDays = 60;
const dayMs = 86_400_000;

/** One character a value, the largest highest; a day without anything is a dot, not the lowest bar. */
const sparkline = (values: readonly number[]): string => {
  const most = Math.max(1, ...values);
  return values
    .map((value) => (value <= 0 ? "·" : (bars[Math.ceil((value / most) * bars.length) - 1] ?? "·")))
    .join("");
};

/** Counts by day (`2026-11-22`), as one line for people; the last sixty days where there are more. */
export const dayLine = (title: string, counts: ReadonlyMap<string, number>): string => {
  const days = [...counts.keys()].sort();
  const [first, last] = [days[0], days.at(-1)];
  if (first === undefined || last === undefined) return `${title}: none`;
  const lastMs = Date.parse(`${last}T00:00:00Z`);
  const firstMs = Math.max(Date.parse(`${first}T00:00:00Z`), lastMs - (mostDays - 1) * dayMs);
  const all: string[] = [];
  for (let at = firstMs; at <= lastMs; at += dayMs) all.push(new Date(at).toISOString().slice(0, 10));
  const values = all.map((day) => counts.get(day) ?? 0);
  return `${title}: ${sparkline(values)}  ${all[0] ?? last} to ${last}, most ${Math.max(...values)} a day`;
};
