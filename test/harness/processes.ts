import { readFileSync } from "node:fs";

export const statusOf = (pid: number): string => readFileSync(`/proc/${pid}/status`, "utf8");

/** Neither gone nor a zombie that its parent has not looked at. */
export const isRunning = (pid: number): boolean => {
  try {
    return !/^State:\s+[ZX]/m.test(statusOf(pid));
  } catch {
    return false;
  }
};

export const uidOf = (pid: number): number => Number(/^Uid:\s+(\d+)/m.exec(statusOf(pid))?.[1]);

export const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
