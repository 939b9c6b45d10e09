import type { After } from "../../server/session/interactive/session-clock.ts";

/** Time that passes when a test says so, for a session's clock. */
export interface ManualTime {
  readonly after: After;
  /** Does what is due within so many milliseconds, in its order. */
  pass(ms: number): void;
}

export const manualTime = (): ManualTime => {
  interface Due {
    at: number;
    readonly act: () => void;
  }
  const waiting = new Set<Due>();
  let now = 0;
  return {
    after(ms, act) {
      const due: Due = { at: now + ms, act };
      waiting.add(due);
      return {
        refresh() {
          due.at = now + ms;
          waiting.add(due);
        },
        stop: () => void waiting.delete(due),
      };
    },
    pass(ms) {
      const until = now + ms;
      for (;;) {
        const [next] = [...waiting].filter(({ at }) => at <= until).toSorted((a, b) => a.at - b.at);
        if (next === undefined) break;
        waiting.delete(next);
        now = next.at;
        next.act();
      }
      now = until;
    },
  };
};
