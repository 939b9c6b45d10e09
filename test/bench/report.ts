import { cpus, loadavg, release, totalmem } from "node:os";
import { median, ratioOf, reached, spread, type Outcome } from "./compare.ts";

const rounded = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(3);

const withSpread = (values: readonly number[] | undefined, unit: string): string =>
  values === undefined
    ? "–"
    : `${rounded(median(values))} ${unit}${values.length > 2 ? ` ± ${Math.round(spread(values) * 100)} %` : ""}`;

const reachWords = ({ reach, absolute, unit }: Outcome): string => {
  if (reach === undefined) return "reported";
  if (absolute === true && "atMost" in reach) return `≤ ${reach.atMost} ${unit}`;
  return "atMost" in reach ? `≤ ${reach.atMost}` : `≥ ${reach.atLeast}`;
};

const verdict = (outcome: Outcome): string => {
  const met = reached(outcome);
  if (met === undefined) return "";
  return met ? "yes" : "no";
};

const heading = ["row", "ours", "peer", "ratio", "reach", "reached"];

/** The table as Markdown, padded so that it also reads well on a terminal. */
export const tableOf = (outcomes: readonly Outcome[]): string => {
  const lines = outcomes.map((outcome) => {
    const ratio = ratioOf(outcome);
    return [
      outcome.name,
      withSpread(outcome.ours, outcome.unit),
      withSpread(outcome.peer, outcome.unit),
      ratio === undefined ? "–" : ratio.toFixed(2),
      reachWords(outcome),
      verdict(outcome),
    ];
  });
  const widths = heading.map((name, column) =>
    Math.max(name.length, ...lines.map((line) => line[column]?.length ?? 0)),
  );
  const written = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  return [written(heading), `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...lines.map(written)].join(
    "\n",
  );
};

const machine = (): string =>
  `${cpus().length} × ${cpus()[0]?.model.trim() ?? "unknown processor"}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.versions.node}`;

/** The file that is kept: how it was measured stands beside what was measured. */
export const resultsText = (
  outcomes: readonly Outcome[],
  date: Date,
  sizes: { readonly rounds: number; readonly keys: number },
): string => `# Results

${date.toISOString().slice(0, 16).replace("T", " ")} UTC, ${machine()}.
Load average at the end: ${loadavg()
  .map((load) => load.toFixed(1))
  .join(" ")}. Written by \`npm run bench\`; how to read it: README.md beside it.
A load above the number of processors means that other work ran meanwhile: then the ratios say little, and p99 nothing.
${sizes.rounds} rounds, ${sizes.keys.toLocaleString("en-US")} keys.

${tableOf(outcomes)}
`;
