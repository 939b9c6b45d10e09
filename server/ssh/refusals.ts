import type { Origin } from "../audit/event.ts";
import type { RequestRefusal } from "../audit/refusal-reasons.ts";
import type { Limits } from "./limits.ts";
import type { Recorder } from "./recorder.ts";
import { readableText } from "./readable-text.ts";

export interface Refusals {
  /**
   * Puts a refused SSH request on the record.
   * @param detail the sentence that the client gets, or would get
   * @param session the channel it was asked on: the same `once` text is recorded one time for it
   */
  refuse(refused: { request: string; reason: RequestRefusal; detail: string; session?: object; once?: string }): void;
  /** Records how many were left out, if any. */
  close(): void;
}

/**
 * Records refusals of one connection without letting it flood the log: a client may ask for the same refused thing thousands
 * of times in a second, and each line costs disk for years. Past the budget they are counted, and the count is recorded.
 */
export const createRefusals = (
  recorder: Recorder,
  origin: () => Origin,
  limits: Limits,
  now: () => number = Date.now,
): Refusals => {
  let budget = limits.recordedRefusals;
  let refilledAt = now();
  let leftOut = 0;
  const seen = new WeakMap<object, Set<string>>();

  const record = (request: string, reason: RequestRefusal, detail: string): void => {
    void recorder.record({ type: "request-refused", ...origin(), request, reason, detail });
  };
  const recordLeftOut = (): void => {
    if (leftOut === 0) return;
    record("several", "left out", `${leftOut} more requests were refused and not recorded one by one`);
    leftOut = 0;
  };
  const mayRecord = (): boolean => {
    const earned = Math.floor((now() - refilledAt) / limits.recordedRefusalIntervalMs);
    if (earned > 0) {
      refilledAt += earned * limits.recordedRefusalIntervalMs;
      budget = Math.min(budget + earned, limits.recordedRefusals);
    }
    if (budget === 0) return false;
    budget -= 1;
    return true;
  };

  return {
    refuse: ({ request, reason, detail, session, once }) => {
      if (session !== undefined) {
        const key = once ?? request;
        const before = seen.get(session) ?? new Set();
        if (before.has(key)) return;
        seen.set(session, before.add(key));
      }
      if (!mayRecord()) {
        leftOut += 1;
        return;
      }
      recordLeftOut();
      record(readableText(request, 64), reason, readableText(detail, 200));
    },
    close: recordLeftOut,
  };
};
