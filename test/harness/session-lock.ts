import type { AuditEvent } from "../../server/audit/event.ts";
import { createSessionLock, type SessionLock } from "../../server/session/session-lock.ts";
import { stageSecondFactors, type Stage } from "./second-factor-stage.ts";

type LockEvent = Omit<Extract<AuditEvent, { type: "session-lock" }>, "type">;

export interface StagedLock {
  readonly lock: SessionLock;
  readonly stage: Stage;
  /** Of the record, in order: `locked`, `unlocked`, or why a code was refused. */
  readonly states: string[];
  /** The code of this half minute. */
  readonly code: () => string;
  readonly recoveryCodes: readonly string[];
  /** A code that is never the right one. */
  readonly wrongCode: string;
}

const nameOf = ({ state, reason }: LockEvent): string => (state === "refused" ? (reason ?? "") : state);

/** The lock of a session of alice, who has a second factor, on real files and a clock that stands still. */
export const stageLock = async (party: { readonly keyFingerprint?: string } = {}): Promise<StagedLock> => {
  const stage = stageSecondFactors(() => false);
  const { secret, recoveryCodes } = await stage.enrol("alice");
  const states: string[] = [];
  const good = new Set([-1, 0, 1, 2, 3].map((steps) => stage.codeOf(secret, steps)));
  return {
    lock: createSessionLock({
      secondFactor: stage.secondFactor,
      party: { connectedUser: "alice", keyFingerprint: party.keyFingerprint ?? "SHA256:x" },
      record: async (event) => void states.push(nameOf(event)),
    }),
    stage,
    states,
    code: () => stage.codeOf(secret),
    recoveryCodes,
    wrongCode: ["000000", "111111", "222222", "333333", "444444", "555555"].find((code) => !good.has(code)) ?? "",
  };
};
