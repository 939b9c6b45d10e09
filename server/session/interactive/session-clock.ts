/** The longest a Node timer can be; more fires at once. */
const longestTimerMs = 2 ** 31 - 1;
const warningMs = 60_000;
/** Somebody in the middle of an incident should not learn a minute before that they have to log in again. */
const earlyWarningMs = 10 * 60_000;

interface SessionTimer {
  /** Begins its time anew, though it may be over. */
  refresh(): void;
  stop(): void;
}

/** Does something when a time in milliseconds is over. An argument, so that a test lets time pass itself. */
export type After = (ms: number, act: () => void) => SessionTimer;

export const afterRealTime: After = (ms, act) => {
  const timer = setTimeout(act, Math.min(ms, longestTimerMs));
  return { refresh: () => void timer.refresh(), stop: () => clearTimeout(timer) };
};

export interface SessionClock {
  /** The user did something. While the session is locked it counts for nothing. */
  input(): void;
  /** The user is back. */
  unlocked(): void;
  stop(): void;
}

/**
 * Locks a session that nobody uses, or ends it where nothing could open a lock. Ends one that stays locked or lasts too long. Says each a
 * minute before.
 */
export const startSessionClock = (options: {
  readonly after: After;
  /** Left out where a screen can't be locked: then it only ends. */
  readonly idleLockMs?: number | undefined;
  /** Asked at that time: `end` where nothing could open a lock, `wait` while there is no screen yet. */
  readonly atIdleLock: () => "lock" | "end" | "wait";
  readonly idleTimeoutMs: number;
  readonly longestSessionMs: number;
  readonly warn: (text: string) => void;
  readonly lock: () => void;
  readonly expire: (reason: "idle" | "idle, no second factor" | "longest-session", text: string) => void;
}): SessionClock => {
  const { after, warn, expire, atIdleLock } = options;
  /** A time-out shorter than two minutes warns at half time. */
  const beforeEnd = (ms: number): number => Math.max(ms - warningMs, ms / 2);
  const left = (ms: number): string => `${Math.ceil((ms - beforeEnd(ms)) / 1000)} seconds`;
  const { idleLockMs, idleTimeoutMs: idle, longestSessionMs: longest } = options;
  const lockAt = idleLockMs !== undefined && idleLockMs < idle ? idleLockMs : undefined;
  const endWarningAt = Math.max(beforeEnd(idle), (lockAt ?? 0) + 1);
  let locked = false;
  const tooLong = "The session was ended: nothing was typed for too long.";
  const lock = (): void => {
    const then = atIdleLock();
    if (then === "end") {
      expire("idle, no second factor", `${tooLong} With a second factor its screen is locked instead.`);
    }
    if (then !== "lock") return;
    locked = true;
    options.lock();
  };
  const lockTimers =
    lockAt === undefined
      ? []
      : [
          after(beforeEnd(lockAt), () => {
            const then = atIdleLock();
            if (then === "wait") return;
            const what = then === "lock" ? "The screen is cleared and locked" : "This session ends";
            warn(`${what} in ${left(lockAt)} unless you type something.`);
          }),
          after(lockAt, lock),
        ];
  const idleTimers = [
    ...lockTimers,
    after(endWarningAt, () => {
      const unless = locked ? "it is unlocked" : "you type something";
      warn(`This session ends in ${Math.ceil((idle - endWarningAt) / 1000)} seconds unless ${unless}.`);
    }),
    after(idle, () => expire("idle", tooLong)),
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
      for (const timer of [...idleTimers, ...lifeTimers]) timer.stop();
    },
  };
};
