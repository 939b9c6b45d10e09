import type { Socket } from "node:net";
import { Pace } from "../pace.ts";
import type { Limits } from "./limits.ts";

/** Why a client is not read on. */
type Reason = "answers" | "pace";

/** Whether a logged-in client is read. TCP holds it up meanwhile, so what it sends costs nothing here. */
export interface Reading {
  /** Its answers wait in the socket: nothing more is read until they are out. */
  hold(): void;
  release(): void;
  /**
   * It sent a message that is no data. Above `messagesASecond` it is not read for as long as it is ahead: sshd has a process for each
   * client and leaves it to the kernel that one client's messages don't take everybody's time.
   */
  message(): void;
}

export const createReading = (socket: Socket, limits: Limits, nowMs: () => number): Reading => {
  const reasons = new Set<Reason>();
  const pace = new Pace(limits.messagesAtOnce, limits.messagesASecond, nowMs);
  const hold = (reason: Reason): void => {
    reasons.add(reason);
    socket.pause();
  };
  const release = (reason: Reason): void => {
    if (reasons.delete(reason) && reasons.size === 0 && !socket.destroyed) socket.resume();
  };
  return {
    hold: () => hold("answers"),
    release: () => release("answers"),
    message: () => {
      if (pace.take() === 0 || reasons.has("pace")) return;
      hold("pace");
      // What is left of the segment is still to come, so it may be further ahead by then: looked at again.
      const look = (): void => {
        const aheadMs = pace.aheadMs();
        if (aheadMs === 0 || socket.destroyed) release("pace");
        else setTimeout(look, aheadMs).unref();
      };
      process.nextTick(look);
    },
  };
};
