import { counted, drawing, element, figures, find } from "./elements.ts";
import type { ReportSession } from "./report-session.ts";
import { dayOf, spansOf, type Spans } from "./spans.ts";

const [width, height] = [600, 100] as const;

/** Stretched to its place; the words stand outside, so that they keep their size. */
const barsOf = ({ spans }: Spans, noun: string): Element[] => {
  const most = Math.max(1, ...spans.map(({ count }) => count));
  const step = width / Math.max(1, spans.length);
  const bars = spans.map(({ label, count }, place) => {
    const barHeight = count === 0 ? 0 : Math.max(1.5, (count / most) * height);
    return drawing(
      "rect",
      { x: place * step + step * 0.1, y: height - barHeight, width: Math.min(step * 0.8, 40), height: barHeight },
      drawing("title", {}, `${label}: ${counted(count, noun)}`),
    );
  });
  const hidden = { class: "scale", "aria-hidden": "true" };
  return [
    element("div", hidden, element("span", {}, `up to ${figures(most)}`)),
    drawing(
      "svg",
      { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true", class: "bars" },
      ...bars,
    ),
    element(
      "div",
      hidden,
      ...[...new Set([spans[0]?.label ?? "", spans.at(-1)?.label ?? ""])].map((label) => element("span", {}, label)),
    ),
  ];
};

interface Chart {
  /** Of its place on the page. */
  readonly id: string;
  readonly title: string;
  /** What it counts, one of them. */
  readonly noun: string;
}

/** The picture is for those who see it; its numbers are a table for everyone. */
const overTime = ({ id, title, noun }: Chart, byDay: ReadonlyMap<number, number>): void => {
  const spans = spansOf(byDay);
  const total = spans.spans.reduce((sum, { count }) => sum + count, 0);
  const rows = spans.spans
    .filter(({ count }) => count > 0)
    .map(({ label, count }) =>
      element("tr", {}, element("th", { scope: "row" }, label), element("td", { class: "number" }, figures(count))),
    );
  const table = element(
    "table",
    {},
    element(
      "thead",
      {},
      element("tr", {}, element("th", { scope: "col" }, spans.unit), element("th", { scope: "col" }, `${noun}s`)),
    ),
    element("tbody", {}, ...rows),
  );
  find(`#${id}`, HTMLElement).replaceChildren(
    element("figcaption", {}, `${title}: ${counted(total, noun)}, by ${spans.unit}`),
    ...barsOf(spans, noun),
    element("details", {}, element("summary", {}, "As a table"), table),
  );
};

const mostShown = 8;

/** @param choose called with a name that was chosen to filter by */
const ranking = (
  { id, title, noun }: Chart,
  counts: ReadonlyMap<string, number>,
  choose: (name: string) => void,
): void => {
  const ordered = [...counts].filter(([, count]) => count > 0).sort(([, a], [, b]) => b - a);
  const most = Math.max(1, ordered[0]?.[1] ?? 1);
  const rows = ordered.slice(0, mostShown).map(([name, count]) => {
    const button = element("button", { type: "button", class: "link", title: `Show only ${name}` }, name);
    button.addEventListener("click", () => choose(name));
    const bar = drawing(
      "svg",
      { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true", class: "bars" },
      drawing("rect", { x: 0, y: 0, width: Math.max(0.5, (count / most) * 100), height: 8 }),
    );
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, button),
      element("td", { class: "share" }, bar),
      element("td", { class: "number" }, figures(count)),
    );
  });
  const rest = ordered.slice(mostShown);
  const restCount = rest.reduce((sum, [, count]) => sum + count, 0);
  find(`#${id}`, HTMLElement).replaceChildren(
    element("figcaption", {}, title),
    element(
      "table",
      { class: "ranking" },
      element(
        "thead",
        { class: "visually-hidden" },
        element(
          "tr",
          {},
          element("th", { scope: "col" }, "Name"),
          element("th", { scope: "col" }, "Share"),
          element("th", { scope: "col" }, `${noun}s`),
        ),
      ),
      element("tbody", {}, ...rows),
    ),
    ...(rest.length === 0
      ? []
      : [element("p", { class: "hint" }, `and ${counted(restCount, noun)} of ${figures(rest.length)} more`)]),
    ...(rows.length === 0 ? [element("p", { class: "hint" }, "none")] : []),
  );
};

const add = <T>(counts: Map<T, number>, name: T, count = 1): void => {
  counts.set(name, (counts.get(name) ?? 0) + count);
};

/** Draws all four anew, of the sessions shown. */
export const drawCharts = (
  sessions: readonly ReportSession[],
  choose: (field: "user" | "computer", name: string) => void,
): void => {
  const sessionsByDay = new Map<number, number>();
  const keysByDay = new Map<number, number>();
  const byUser = new Map<string, number>();
  const byComputer = new Map<string, number>();
  for (const session of sessions) {
    add(sessionsByDay, dayOf(session.startedAtMs));
    for (const [day, keys] of session.disclosedByDay) add(keysByDay, day, keys);
    add(byUser, session.user);
    for (const computer of session.computers) add(byComputer, computer);
  }
  overTime({ id: "sessions-over-time", title: "Sessions over time", noun: "session" }, sessionsByDay);
  overTime({ id: "disclosures-over-time", title: "Keys disclosed over time", noun: "key" }, keysByDay);
  ranking({ id: "by-user", title: "Sessions by user", noun: "session" }, byUser, (name) => choose("user", name));
  ranking({ id: "by-computer", title: "Keys disclosed by computer", noun: "key" }, byComputer, (name) =>
    choose("computer", name),
  );
};
