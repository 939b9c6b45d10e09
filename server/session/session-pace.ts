import { setTimeout as delay } from "node:timers/promises";
import { identitiesOf, type Party } from "../identity/party.ts";
import { Pace } from "../pace.ts";

/** How quickly one person's sessions begin. */
export interface SessionPace {
  /**
   * Resolves when this session may begin: at once, or in its turn where its user is ahead of `sessionsPerMinute`.
   * @returns false when `signal` aborted first
   */
  turn(party: Party, signal: AbortSignal): Promise<boolean>;
}

/**
 * A user's first `perMinute` sessions begin at once, further ones at that rate. They wait, as a script would have to: a refusal
 * would end an export in its middle for being quick.
 *
 * @param nowMs a monotonic clock
 * @param onStruck called when a user's first session has to wait, and again after a time without waiting
 */
export const createSessionPace = (
  perMinute: number,
  nowMs: () => number,
  onStruck: (party: Party) => void,
): SessionPace => {
  const paces = new Map<string, Pace>();
  const struck = new Set<string>();
  const forgetQuiet = (): void => {
    for (const [identity, pace] of paces) {
      if (!pace.isFull()) continue;
      paces.delete(identity);
      struck.delete(identity);
    }
  };
  const paceOf = (identity: string): Pace => {
    const known = paces.get(identity);
    if (known !== undefined) return known;
    forgetQuiet();
    const fresh = new Pace(perMinute, perMinute / 60, nowMs);
    paces.set(identity, fresh);
    return fresh;
  };
  return {
    async turn(party, signal) {
      const identities = identitiesOf(party);
      const own = identities.map(paceOf);
      const waitMs = Math.max(...own.map((pace) => pace.take()));
      if (waitMs === 0) return true;
      if (identities.every((identity) => !struck.has(identity))) onStruck(party);
      for (const identity of identities) struck.add(identity);
      try {
        await delay(waitMs, undefined, { signal, ref: false });
        return true;
      } catch {
        for (const pace of own) pace.giveBack(); // it never began
        return false;
      }
    },
  };
};
