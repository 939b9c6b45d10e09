/** The longest a Node timer can be; more fires at once. */
const longestTimerMs = 2 ** 31 - 1;
const warningMs = 60_000;

export interface SessionClock {
  /** The user did something. */
  input(): void;
  stop(): void;
}

/** Ends a session that nobody uses, or that lasts too long, and says so a minute before. */
export const startSessionClock = (options: {
  readonly idleTimeoutMs: number;
  readonly longestSessionMs: number;
  readonly warn: (text: string) => void;
  readonly expire: (reason: "idle" | "longest-session", text: string) => void;
}): SessionClock => {
  const { warn, expire } = options;
  const after = (ms: number, act: () => void): NodeJS.Timeout => setTimeout(act, Math.min(ms, longestTimerMs));
  /** A time-out shorter than two minutes warns at half time. */
  const beforeEnd = (ms: number): number => Math.max(ms - warningMs, ms / 2);
  const left = (ms: number): string => `${Math.ceil((ms - beforeEnd(ms)) / 1000)} seconds`;
  const { idleTimeoutMs: idle, longestSessionMs: longest } = options;
  const idleTimers = [
    after(beforeEnd(idle), () => warn(`This session ends in ${left(idle)} unless you type something.`)),
    after(idle, () => expire("idle", "The session was ended: nothing was typed for too long.")),
  ];
  const lifeTimers = [
    after(beforeEnd(longest), () => warn(`This session ends in ${left(longest)}: it reaches its longest time.`)),
    after(longest, () => expire("longest-session", "The session was ended: it reached its longest time.")),
  ];
  let stopped = false;
  return {
    input() {
      if (stopped) return; // refresh() would set a cleared timer going again
      for (const timer of idleTimers) timer.refresh();
    },
    stop() {
      stopped = true;
      for (const timer of [...idleTimers, ...lifeTimers]) clearTimeout(timer);
    },
  };
};
