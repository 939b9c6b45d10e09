import { constants, setPriority } from "node:os";

/**
 * Who types goes before an export. Of this thread alone, which is so on Linux only (setpriority(2), "C library/kernel
 * differences"): elsewhere it would be the whole server's.
 */
export const goBehindOthers = (): void => {
  if (process.platform !== "linux") return;
  try {
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // A sandbox may forbid it (systemd's ~@resources): an export is no worse an answer for it.
  }
};
