import type { SecondFactor } from "../../server/identity/log-in.ts";

/** The roles ask nobody for a second factor. */
export const nobodyNeedsOne: SecondFactor = {
  isRequired: () => false,
  isEnrolled: () => false,
  waitMs: () => 0,
  judge: () => Promise.resolve({ kind: "refused", reason: "no second factor is enrolled" }),
};
