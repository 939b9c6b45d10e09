import { constants, setPriority } from "node:os";

const { PRIORITY_BELOW_NORMAL: later, PRIORITY_LOW: last } = constants.priority;

/**
 * Lets others go before this thread: `later` than who types, or `last` of all. Of this thread alone, which is so on Linux only
 * (setpriority(2), "C library/kernel differences"): elsewhere it would be the whole server's.
 */
export const takeTurn = (turn: "later" | "last"): void => {
  if (process.platform !== "linux") return;
  try {
    setPriority(turn === "last" ? last : later);
  } catch {
    // A sandbox may forbid it (systemd's ~@resources): the work is done all the same.
  }
};
