/** One row of the table: what was measured on both sides, in rounds that took turns. */
export interface Outcome {
  readonly name: string;
  readonly unit: "ms" | "rows/s" | "MB/s" | "appends/s" | "KiB";
  readonly ours: readonly number[];
  /** Absent where there is nobody to compare with: the figure is reported alone. */
  readonly peer?: readonly number[];
  /** What issue and README promise; a ratio of ours to the peer's, or ours itself where there is no peer. */
  readonly reach?: { readonly atMost: number } | { readonly atLeast: number };
  /** What is to be reached is our own figure, though there is a peer to look at. */
  readonly absolute?: true;
}

export const percentile = (values: readonly number[], part: number): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
};

/** Of an even number of values the mean of the middle two: the larger one would flatter every rate. */
export const median = (values: readonly number[]): number =>
  values.length % 2 === 1
    ? percentile(values, 0.5)
    : (percentile(values, 0.5) + percentile(values, (values.length / 2 - 1) / values.length)) / 2;

/** Half of the middle half, as a part of the median: one slow round of a shared machine does not show in it. */
export const spread = (values: readonly number[]): number =>
  (percentile(values, 0.75) - percentile(values, 0.25)) / 2 / median(values);

/**
 * The median of the rounds' own ratios, not the ratio of the medians: what slows the machine down for a while slows both
 * sides of a round, and cancels out.
 */
export const ratioOf = ({ ours, peer }: Outcome): number | undefined =>
  peer === undefined
    ? undefined
    : median(
        ours.length === peer.length
          ? ours.map((one, index) => one / (peer[index] ?? Number.NaN))
          : [median(ours) / median(peer)],
      );

export const reached = (outcome: Outcome): boolean | undefined => {
  const figure = outcome.absolute === true ? median(outcome.ours) : (ratioOf(outcome) ?? median(outcome.ours));
  if (outcome.reach === undefined) return undefined;
  return "atMost" in outcome.reach ? figure <= outcome.reach.atMost : figure >= outcome.reach.atLeast;
};

/** A B, then B A, and so on: whoever goes second in a round does not always find the caches warm. */
export const takeTurns = async <T>(
  rounds: number,
  ours: () => Promise<T>,
  peer: () => Promise<T>,
): Promise<{ readonly ours: readonly T[]; readonly peer: readonly T[] }> => {
  const measured: { ours: T[]; peer: T[] } = { ours: [], peer: [] };
  for (let round = 0; round < rounds; round += 1) {
    if (round % 2 === 0) measured.ours.push(await ours());
    measured.peer.push(await peer());
    if (round % 2 === 1) measured.ours.push(await ours());
  }
  return measured;
};
