import { EndpointError } from "../../errors.ts";
import type { CodeVerdict, SecondFactor } from "../log-in.ts";
import type { CodeDelay } from "./code-delay.ts";
import type { Factor, FactorStore } from "./factor-store.ts";
import { canonicalCode, findRecoveryCode } from "./recovery-codes.ts";
import { findStep } from "./totp.ts";

export interface SecondFactorOptions {
  readonly store: FactorStore;
  readonly delay: CodeDelay;
  /** By the roles in force. */
  readonly isRequired: (user: string) => boolean;
  readonly now: () => number;
}

type Refused = Extract<CodeVerdict, { kind: "refused" }>;

const refused = (reason: Refused["reason"], more: Pick<Refused, "detail" | "hint"> = {}): Refused => ({
  kind: "refused",
  reason,
  ...more,
});

/** Stores a use, then accepts: a crash in between costs a code, never lets it be used twice. */
const useUp = async (store: FactorStore, factor: Factor, use: Parameters<FactorStore["storeUse"]>[1]) => {
  try {
    await store.storeUse(factor, use);
    return undefined;
  } catch (error) {
    return refused("the code's use could not be stored", { detail: error instanceof Error ? error.message : "" });
  }
};

const judgeCode = async (store: FactorStore, factor: Factor, code: string, nowMs: number): Promise<CodeVerdict> => {
  const use = store.findUse(factor);
  const step = findStep(factor.secret, code, nowMs);
  if (step === undefined) return refused("the code is wrong", { hint: "That code is wrong, or its time is over." });
  if (step <= use.step) {
    return refused("the code was used before", { hint: "That code was used already. Wait for the next one." });
  }
  return (await useUp(store, factor, { ...use, step })) ?? { kind: "accepted", factor: "code" };
};

const judgeRecoveryCode = async (store: FactorStore, factor: Factor, code: string): Promise<CodeVerdict> => {
  const place = await findRecoveryCode(code, factor.recovery);
  if (place === undefined) return refused("the recovery code is wrong", { hint: "That recovery code is wrong." });
  const use = store.findUse(factor);
  if (use.recoveryCodes.includes(place)) {
    return refused("the recovery code was used before", { hint: "That recovery code was used already." });
  }
  const recoveryCodes = [...use.recoveryCodes, place];
  const recoveryCodesLeft = factor.recovery.hashes.length - recoveryCodes.length;
  return (
    (await useUp(store, factor, { ...use, recoveryCodes })) ?? {
      kind: "accepted",
      factor: "recovery-code",
      recoveryCodesLeft,
    }
  );
};

/** Runs what is given for one name one after the other. */
const createTurns = () => {
  const last = new Map<string, Promise<unknown>>();
  return <T>(name: string, act: () => Promise<T>): Promise<T> => {
    const turn = (last.get(name) ?? Promise.resolve()).then(act, act);
    last.set(name, turn);
    const over = (): void => {
      if (last.get(name) === turn) last.delete(name);
    };
    turn.then(over, over);
    return turn;
  };
};

/**
 * Judges codes, one at a time for each user: of two connections with the same code one wins, and guesses side by side
 * are counted as if they came one after the other.
 */
export const createSecondFactor = ({ store, delay, isRequired, now }: SecondFactorOptions): SecondFactor => {
  const inTurn = createTurns();
  return {
    isRequired,
    isEnrolled: (user) => store.isEnrolled(user),
    waitMs: (party) => delay.waitMs(party, now()),
    judge: ({ answer, ...party }) =>
      inTurn(party.connectedUser, async (): Promise<CodeVerdict> => {
        // Before anything is compared: a right code tried too early tells nothing, and is not used up.
        if (delay.waitMs(party, now()) > 0) return refused("too many wrong codes");
        const typed = answer.replaceAll(/\s/g, "");
        const recoveryCode = canonicalCode(typed);
        let verdict: CodeVerdict;
        let factor: Factor | undefined;
        try {
          factor = store.find(party.connectedUser);
          if (factor === undefined) return refused("no second factor is enrolled");
          if (/^[0-9]{6}$/.test(typed)) verdict = await judgeCode(store, factor, typed, now());
          else if (recoveryCode !== undefined) verdict = await judgeRecoveryCode(store, factor, recoveryCode);
          else verdict = refused("the code is wrong", { detail: "neither six digits nor a recovery code" });
        } catch (error) {
          if (!(error instanceof EndpointError)) throw error;
          return refused("the second factor can't be read", { detail: error.message });
        } finally {
          factor?.secret.fill(0);
        }
        if (verdict.kind === "accepted") delay.succeeded(party);
        else if (verdict.reason === "the code is wrong" || verdict.reason === "the recovery code is wrong") {
          delay.failed(party, now());
        }
        return verdict;
      }),
  };
};
