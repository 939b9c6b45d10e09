/** The longest a Node timer can be; more fires at once. */
const longestTimerMs = 2 ** 31 - 1;
const warningMs = 60_000;

/**
 * Calls at the very moment, and a minute before. Looks at the wall clock anew each time: it may be set meanwhile, and a
 * timer may fire early.
 *
 * @returns how to stop it
 */
export const startExpiryTimer = (
  expiresAt: number,
  now: () => Date,
  on: { readonly soon: () => void; readonly over: () => void },
): (() => void) => {
  let timer: NodeJS.Timeout | undefined;
  const waitUntil = (at: number, act: () => void): void => {
    const left = at - now().getTime();
    if (left <= 0) {
      act();
      return;
    }
    timer = setTimeout(() => waitUntil(at, act), Math.min(left, longestTimerMs));
    timer.unref();
  };
  const awaitEnd = (): void => waitUntil(expiresAt, on.over);
  const warnFirst = expiresAt - warningMs > now().getTime();
  waitUntil(expiresAt - warningMs, () => {
    if (warnFirst) on.soon();
    awaitEnd();
  });
  return () => clearTimeout(timer);
};
