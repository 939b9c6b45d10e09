import { constants, setPriority } from "node:os";

const { PRIORITY_BELOW_NORMAL: later, PRIORITY_LOW: last } = constants.priority;

/**
 * Lowers this thread's priority: `later` comes after keystrokes, `last` after everything else. Only Linux has per-thread priorities
 * (setpriority(2), "C library/kernel differences"). Elsewhere the call would slow the whole server.
 */
export const takeTurn = (turn: "later" | "last"): void => {
  if (process.platform !== "linux") return;
  try {
    setPriority(turn === "last" ? last : later);
  } catch {
    // A sandbox may forbid it (systemd's ~@resources): the work is done at normal priority.
  }
};
