import type { AuditEvent } from "../audit/event.ts";
import type { CodeRefusal, SecondFactor } from "../identity/log-in.ts";
import type { Party } from "../identity/party.ts";

/** At one locked screen: so many refused codes, and the session ends. At a log-in it is the client that gives up. */
const mostRefused = 3;
/** Longer than any code; nothing so long is compared. */
const longestAnswer = 64;

/** Whatever is typed, these stay. */
const unjudged: ReadonlySet<CodeRefusal> = new Set([
  "no second factor is enrolled",
  "the second factor can't be read",
  "the code's use could not be stored",
] as const);

type LockEvent = Extract<AuditEvent, { type: "session-lock" }>;

/** The session has to end. */
export interface LockOver {
  readonly kind: "over";
  readonly category: "LimitsExceeded" | "ResourceUnavailable";
  /** For the record. */
  readonly reason: string;
  /** For whoever sits there. */
  readonly text: string;
}

type LockVerdict =
  /** `text`: what to tell its user beside. */
  { readonly kind: "open"; readonly text?: string } | { readonly kind: "refused"; readonly text: string } | LockOver;

/** The lock of a screen that was left alone. Only a code of its user's second factor opens it. */
export interface SessionLock {
  /** Whether the user has a second factor now. Without one nothing could open a lock, so there is none. */
  canOpen(): boolean;
  /** Puts on the record that the screen is cleared. */
  locked(): Promise<void>;
  /** Judges what was typed; `undefined`: too long to be read. The verdict is on the record, and a code used up, when it resolves. */
  open(answer: string | undefined): Promise<LockVerdict>;
}

export const createSessionLock = (options: {
  readonly secondFactor: Pick<SecondFactor, "isEnrolled" | "waitMs" | "judge">;
  readonly party: Party;
  readonly record: (event: Omit<LockEvent, "type">) => Promise<void>;
}): SessionLock => {
  const { secondFactor, party, record } = options;
  let refused = 0;
  return {
    canOpen: () => secondFactor.isEnrolled(party.connectedUser),
    async locked() {
      refused = 0;
      await record({ state: "locked" });
    },
    async open(answer) {
      const verdict =
        answer === undefined || answer.length > longestAnswer
          ? ({ kind: "refused", reason: "the code is wrong", detail: "too long" } as const)
          : await secondFactor.judge({ ...party, answer });
      if (verdict.kind === "accepted") {
        await record({ state: "unlocked", secondFactor: verdict.factor });
        if (verdict.factor === "code") return { kind: "open" };
        return { kind: "open", text: `A recovery code was used. ${verdict.recoveryCodesLeft} left.` };
      }
      const { reason, detail } = verdict;
      await record({ state: "refused", reason, ...(detail === undefined ? {} : { detail }) });
      if (unjudged.has(reason)) {
        const message = "No code can be judged now, so the session was ended.";
        return { kind: "over", category: "ResourceUnavailable", reason, text: message };
      }
      refused += 1;
      if (refused >= mostRefused) {
        return {
          kind: "over",
          category: "LimitsExceeded",
          reason: "too many wrong codes",
          text: "Three codes were refused, so the session was ended.",
        };
      }
      if (reason === "too many wrong codes") {
        const seconds = Math.ceil(secondFactor.waitMs(party) / 1000);
        return { kind: "refused", text: `Too many wrong codes. Try again in ${seconds} seconds.` };
      }
      return { kind: "refused", text: ("hint" in verdict ? verdict.hint : undefined) ?? "That code is wrong." };
    },
  };
};
