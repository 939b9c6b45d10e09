/** The longest a Node timer can be; more fires at once. */
const longestTimerMs = 2 ** 31 - 1;
const warningMs = 60_000;
/** Somebody in the middle of an incident should not learn a minute before that they have to log in again. */
const earlyWarningMs = 10 * 60_000;

export interface SessionClock {
  /** The user did something. While the session is locked it counts for nothing. */
  input(): void;
  /** The user is back. */
  unlocked(): void;
  stop(): void;
}

/** Locks a session that nobody uses, ends one that stays locked or lasts too long, and says so a minute before. */
export const startSessionClock = (options: {
  /** Left out where a screen can't be locked: then it only ends. */
  readonly idleLockMs?: number | undefined;
  /** Whether there is a screen to lock by now. */
  readonly mayLock: () => boolean;
  readonly idleTimeoutMs: number;
  readonly longestSessionMs: number;
  readonly warn: (text: string) => void;
  readonly lock: () => void;
  readonly expire: (reason: "idle" | "longest-session", text: string) => void;
}): SessionClock => {
  const { warn, expire, mayLock } = options;
  const after = (ms: number, act: () => void): NodeJS.Timeout => setTimeout(act, Math.min(ms, longestTimerMs));
  /** A time-out shorter than two minutes warns at half time. */
  const beforeEnd = (ms: number): number => Math.max(ms - warningMs, ms / 2);
  const left = (ms: number): string => `${Math.ceil((ms - beforeEnd(ms)) / 1000)} seconds`;
  const { idleLockMs, idleTimeoutMs: idle, longestSessionMs: longest } = options;
  const lockAt = idleLockMs !== undefined && idleLockMs < idle ? idleLockMs : undefined;
  const endWarningAt = Math.max(beforeEnd(idle), (lockAt ?? 0) + 1);
  let locked = false;
  const lock = (): void => {
    if (!mayLock()) return;
    locked = true;
    options.lock();
  };
  const lockTimers =
    lockAt === undefined
      ? []
      : [
          after(beforeEnd(lockAt), () => {
            if (mayLock()) warn(`The screen is cleared and locked in ${left(lockAt)} unless you type something.`);
          }),
          after(lockAt, lock),
        ];
  const idleTimers = [
    ...lockTimers,
    after(endWarningAt, () => {
      const unless = locked ? "it is unlocked" : "you type something";
      warn(`This session ends in ${Math.ceil((idle - endWarningAt) / 1000)} seconds unless ${unless}.`);
    }),
    after(idle, () => expire("idle", "The session was ended: nothing was typed for too long.")),
  ];
  const lifeTimers = [
    ...(longest > 2 * earlyWarningMs
      ? [after(longest - earlyWarningMs, () => warn("This session ends in 10 minutes: it reaches its longest time."))]
      : []),
    after(beforeEnd(longest), () => warn(`This session ends in ${left(longest)}: it reaches its longest time.`)),
    after(longest, () => expire("longest-session", "The session was ended: it reached its longest time.")),
  ];
  let stopped = false;
  const begin = (): void => {
    if (stopped) return; // refresh() would set a cleared timer going again
    for (const timer of idleTimers) timer.refresh();
  };
  return {
    input() {
      if (!locked) begin();
    },
    unlocked() {
      locked = false;
      begin();
    },
    stop() {
      stopped = true;
      for (const timer of [...idleTimers, ...lifeTimers]) clearTimeout(timer);
    },
  };
};
