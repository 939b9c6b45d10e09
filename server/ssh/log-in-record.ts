import type { AuthContext } from "ssh2";
import type { AuditEvent, Origin } from "../audit/event.ts";
import type { LoginRefusal } from "../audit/refusal-reasons.ts";
import type { AcceptedCode, ProvedKey, RefusedKey } from "../identity/log-in.ts";
import type { Party } from "../identity/party.ts";
import { readableText } from "./readable-text.ts";
import type { Recorder } from "./recorder.ts";

type RecoveryCode = Extract<AcceptedCode, { readonly factor: "recovery-code" }>;
type Authentication = Extract<AuditEvent, { readonly type: "authentication" }>;

/** What the record shows of a key. A key id is text of whoever runs the authority. */
export const shownOf = (verdict: ProvedKey | RefusedKey) => ({
  ...(verdict.keyFingerprint === undefined ? {} : { keyFingerprint: verdict.keyFingerprint }),
  ...(verdict.certificate === undefined
    ? {}
    : { certificate: { ...verdict.certificate, keyId: readableText(verdict.certificate.keyId) } }),
  ...(verdict.kind === "proved" && verdict.fido !== undefined ? { fido: verdict.fido } : {}),
});

/** As the record shows it, so that what is counted and compared is what was recorded. */
export const partyOf = (verdict: ProvedKey): Party => {
  const { keyFingerprint, certificate } = { ...shownOf(verdict), keyFingerprint: verdict.keyFingerprint };
  return { connectedUser: verdict.connectedUser, keyFingerprint, certificate };
};

export type Shown = ReturnType<typeof shownOf> & { readonly detail?: string };

export const readableDetail = (detail: string | undefined): Pick<Shown, "detail"> =>
  detail === undefined ? {} : { detail: readableText(detail, 200) };

const claimedBy = ({ username }: AuthContext) => ({ claimedUser: readableText(username, 64) });

/** The `authentication` events of one client. Each says whether it became durable; none rejects. */
export class LogInRecord {
  readonly #recorder: Recorder;
  readonly #origin: () => Origin;
  readonly #opened: Promise<boolean>;
  readonly #noticeShown: string | undefined;

  /**
   * @param opened whether the opening of this connection is on the record; a log-in may not precede it
   * @param noticeShown what the banner said, as a digest; undefined where there was none
   */
  constructor(
    recorder: Recorder,
    origin: () => Origin,
    { opened, noticeShown }: { readonly opened: Promise<boolean>; readonly noticeShown: string | undefined },
  ) {
    this.#recorder = recorder;
    this.#origin = origin;
    this.#opened = opened;
    this.#noticeShown = noticeShown;
  }

  refused(context: AuthContext, reason: LoginRefusal, shown: Shown): Promise<boolean> {
    return this.#put(context, claimedBy(context), "refused", { reason, ...shown });
  }

  /** The key has signed; a code must follow. Recorded, because a key without its code may be a stolen key. */
  codeOwed(context: AuthContext, shown: Shown): Promise<boolean> {
    return this.#andOpened(this.#put(context, claimedBy(context), "continued", shown));
  }

  /** A recovery code is used up: on the record before its giver hears of it, who may hang up then. */
  recoveryCodeUsed(context: AuthContext, code: RecoveryCode, keyFingerprint: string): Promise<boolean> {
    const { factor: secondFactor, recoveryCodesLeft } = code;
    return this.#put(context, claimedBy(context), "continued", { keyFingerprint, secondFactor, recoveryCodesLeft });
  }

  accepted(context: AuthContext, verdict: ProvedKey, code: AcceptedCode | undefined): Promise<boolean> {
    const accepted = this.#put(context, { connectedUser: verdict.connectedUser }, "accepted", {
      ...(this.#noticeShown === undefined ? {} : { noticeShown: this.#noticeShown }),
      ...shownOf(verdict),
      ...(code === undefined ? {} : { secondFactor: code.factor }),
      ...(code?.factor === "recovery-code" ? { recoveryCodesLeft: code.recoveryCodesLeft } : {}),
    });
    return this.#andOpened(accepted);
  }

  #put(
    { method }: AuthContext,
    who: Pick<Authentication, "claimedUser" | "connectedUser">,
    outcome: Authentication["outcome"],
    what: Omit<Authentication, "type" | "outcome" | "method" | keyof Origin>,
  ): Promise<boolean> {
    return this.#recorder.record({ type: "authentication", ...this.#origin(), ...who, outcome, method, ...what });
  }

  async #andOpened(durable: Promise<boolean>): Promise<boolean> {
    return (await this.#opened) && (await durable);
  }
}
