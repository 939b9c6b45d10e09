/**
 * What is long has a command of its own: `npm run soak` takes every case and every round, `npm test` a share of them.
 * The share changes with `SHARE_SEED`, which `.ci/run` sets to the day: so each case has its turn.
 */
export const whole = process.env["SOAK"] !== undefined;

export const shareSeed = Number(process.env["SHARE_SEED"] ?? 1);

/** How often something is done. */
export const rounds = (share: number, all: number): number => (whole ? all : share);

/** One in `of` of the cases. */
export const shareOf = <Case>(cases: readonly Case[], of: number): readonly Case[] =>
  whole ? cases : cases.filter((_one, index) => (index + shareSeed) % of === 0);
