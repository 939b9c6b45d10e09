const dayMs = 86_400_000;

interface Span {
  /** The UTC day that it begins with, counted from 1970-01-01. */
  readonly firstDay: number;
  readonly label: string;
  readonly count: number;
}

export interface Spans {
  readonly unit: "day" | "week" | "month";
  readonly spans: readonly Span[];
}

const dateOf = (day: number): Date => new Date(day * dayMs);
const isoDay = (day: number): string => dateOf(day).toISOString().slice(0, 10);

/** 1970-01-01 was a Thursday; weeks begin on Monday, as in ISO 8601. */
const startOf = {
  day: (day: number): number => day,
  week: (day: number): number => day - ((((day + 3) % 7) + 7) % 7),
  month: (day: number): number => Date.UTC(dateOf(day).getUTCFullYear(), dateOf(day).getUTCMonth(), 1) / dayMs,
} as const;

const after = {
  day: (day: number): number => day + 1,
  week: (day: number): number => day + 7,
  month: (day: number): number => Date.UTC(dateOf(day).getUTCFullYear(), dateOf(day).getUTCMonth() + 1, 1) / dayMs,
} as const;

const labels = {
  day: isoDay,
  week: (day: number): string => `week from ${isoDay(day)}`,
  month: (day: number): string => isoDay(day).slice(0, 7),
} as const;

/** Counts by day joined into so few spans that their bars can be told apart; spans without any are there, empty. */
export const spansOf = (byDay: ReadonlyMap<number, number>): Spans => {
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  for (const day of byDay.keys()) {
    first = Math.min(first, day);
    last = Math.max(last, day);
  }
  const days = last - first + 1;
  const unit = days <= 62 ? "day" : days <= 62 * 7 ? "week" : "month";
  const counts = new Map<number, number>();
  for (const [day, count] of byDay) {
    const start = startOf[unit](day);
    counts.set(start, (counts.get(start) ?? 0) + count);
  }
  const spans: Span[] = [];
  if (Number.isFinite(days)) {
    for (let day = startOf[unit](first); day <= last; day = after[unit](day)) {
      spans.push({ firstDay: day, label: labels[unit](day), count: counts.get(day) ?? 0 });
    }
  }
  return { unit, spans };
};

export const dayOf = (atMs: number): number => Math.floor(atMs / dayMs);
