import type { UiCandidate } from "../protocol.ts";
import { cellsOf, cutTo, padTo, wrapTo } from "../text/cells.ts";
import { printable } from "../text/printable.ts";
import { type Line, type Span, span } from "../text/tones.ts";
import { ageInWords } from "./age.ts";
import { typedParts } from "./found.ts";

type ColumnName = "computer" | "volume" | "key id" | "age" | "state";

const volumeWords: Readonly<Record<string, string>> = {
  OperatingSystem: "system",
  FixedData: "fixed data",
  Removable: "removable",
  Unknown: "unknown",
};

/** In front of the chosen row. */
const marker = "> ";
const gap = "  ";
const shortId = 9;
/** A name cut to less than this names nothing. */
const leastName = 10;

interface CandidateLayout {
  readonly columns: readonly { readonly name: ColumnName; readonly width: number }[];
  readonly at: string;
  /** Nothing of a row is left out. */
  readonly isWhole: boolean;
}

const textOf = (name: ColumnName, row: UiCandidate, at: string): string => {
  switch (name) {
    case "computer":
      return printable(row.computerName);
    case "volume":
      return printable(volumeWords[row.volumeType] ?? row.volumeType);
    case "key id":
      return printable(row.keyId);
    case "age":
      return ageInWords(row.updated, at);
    case "state":
      return printable(row.state).toLowerCase();
  }
};

/** In the order in which they stand: whole, then with the beginning of the id only, then without the least important. */
const narrowings = [
  { names: ["computer", "key id", "state", "age", "volume"], longestId: Infinity },
  { names: ["computer", "key id", "state", "age", "volume"], longestId: shortId },
  { names: ["computer", "key id", "state", "age"], longestId: shortId },
  { names: ["computer", "key id", "state"], longestId: shortId },
] as const satisfies readonly { readonly names: readonly ColumnName[]; readonly longestId: number }[];

/** With names that are cut. A state left out would say less: a replaced key opens nothing. */
const withCutNames = [
  ["computer", "key id", "state"],
  ["computer", "key id"],
  ["computer"],
] as const satisfies readonly (readonly ColumnName[])[];

/** Which columns fit a width, and how wide each is. */
export const layCandidates = (rows: readonly UiCandidate[], at: string, width: number): CandidateLayout => {
  const column = (name: ColumnName, longestId: number): CandidateLayout["columns"][number] => {
    const natural = Math.max(cellsOf(name), ...rows.map((row) => cellsOf(textOf(name, row, at))));
    return { name, width: name === "key id" ? Math.min(natural, longestId) : natural };
  };
  const total = (columns: CandidateLayout["columns"]): number =>
    marker.length + columns.reduce((sum, { width: own }) => sum + own + gap.length, -gap.length);
  for (const { names, longestId } of narrowings) {
    const columns = names.map((name) => column(name, longestId));
    if (total(columns) <= width) return { columns, at, isWhole: longestId === Infinity };
  }
  const shrunk = withCutNames.map((names) => {
    const [, ...others] = names.map((name) => column(name, shortId));
    return [
      { name: "computer", width: width - total([{ name: "computer", width: 0 }, ...others]) } as const,
      ...others,
    ];
  });
  const columns = shrunk.find(([name]) => (name?.width ?? 0) >= leastName) ?? [
    { name: "computer", width: Math.max(1, width - marker.length) },
  ];
  return { columns, at, isWhole: false };
};

export const headerLine = ({ columns }: CandidateLayout, width: number): readonly Line[] => {
  const names = columns.map(({ name, width: own }) => padTo(name, own)).join(gap);
  return [[span(cutTo(" ".repeat(marker.length) + names.trimEnd(), width), "quiet")]];
};

/** A text with its typed part marked. */
const marked = (text: string, part: readonly [number, number] | undefined, tone: Span["tone"]): readonly Span[] =>
  part === undefined
    ? [span(text, tone)]
    : [span(text.slice(0, part[0]), tone), span(text.slice(...part), "match"), span(text.slice(part[1]), tone)];

/** The beginning of an id, or the place where the typed part is. */
const windowOfId = (
  id: string,
  part: readonly [number, number] | undefined,
  width: number,
): { readonly text: string; readonly part: readonly [number, number] | undefined } => {
  if (id.length <= width) return { text: id, part };
  const text = `${id.slice(0, width - 1)}…`;
  if (part === undefined) return { text, part };
  if (part[0] === 0 || part[1] < width) return { text, part: [part[0], Math.min(part[1], width - 1)] };
  const lastFrom = id.length - width + 1;
  const from = Math.min(part[0], lastFrom);
  const end = from === lastFrom ? id.length : from + width - 2;
  return {
    text: `…${id.slice(from, end)}${end < id.length ? "…" : ""}`,
    part: [part[0] - from + 1, Math.min(part[1], end) - from + 1],
  };
};

/** A cell with its typed part marked, where it has one. Foreign text of another shape is only cut. */
const spansOf = (
  name: ColumnName,
  text: string,
  cell: { readonly parts: ReturnType<typeof typedParts>; readonly width: number; readonly tone: Span["tone"] },
): readonly Span[] => {
  const { parts, width, tone } = cell;
  if (name === "key id" && /^[\u0020-\u007e]*$/.test(text)) {
    const shown = windowOfId(text, parts.keyId, width);
    return marked(shown.text, shown.part, tone);
  }
  if (name === "computer" && cellsOf(text) <= width) return marked(text, parts.name, tone);
  return [span(cutTo(text, width), name === "computer" || name === "key id" ? tone : "quiet")];
};

export const candidateLines = (
  rows: readonly UiCandidate[],
  { columns, at }: CandidateLayout,
  { chosen, typed, width }: { readonly chosen: number; readonly typed: string; readonly width: number },
): readonly Line[] =>
  rows.map((row, index): Line => {
    const isChosen = index === chosen;
    const parts = typedParts({ computerName: textOf("computer", row, at), keyId: textOf("key id", row, at) }, typed);
    const tone = isChosen ? "chosen" : "plain";
    const cells = columns.flatMap(({ name, width: own }, column): readonly Span[] => {
      const text = textOf(name, row, at);
      const spans = spansOf(name, text, { parts, width: own, tone });
      const used = spans.reduce((sum, each) => sum + cellsOf(each.text), 0);
      const isLast = column === columns.length - 1;
      return [...spans, span(isLast ? "" : " ".repeat(Math.max(0, own - used)) + gap)];
    });
    return [span((isChosen ? marker : " ".repeat(marker.length)).slice(0, width), "prompt"), ...cells];
  });

/** Of a row, beside its computer: the id first. */
export const factsOf = (row: UiCandidate, at: string): readonly string[] =>
  (["key id", "volume", "state", "age"] as const).map((name) => textOf(name, row, at)).filter((fact) => fact !== "");

/** What the columns leave out of a row. */
export const detailOf = (row: UiCandidate, at: string, width: number): readonly Line[] =>
  wrapTo(factsOf(row, at).join(", "), width)
    .slice(0, 2)
    .map((line) => [span(line, "quiet")]);
