import { EndpointError } from "../errors.ts";
import { identitiesOf, type RecordedParty } from "../identity/party.ts";
import type { AuditEvent } from "./event.ts";
import { plural } from "../model/plural.ts";

const minuteMs = 60_000;
const minutes = 60;
const mebibyte = 1024 * 1024;

/** What one identity put on the record within the last hour. */
class Use {
  /** Minute → bytes, oldest first. */
  readonly #byMinute = new Map<number, number>();
  #bytes = 0;
  /** It was too much, and is still. */
  struck = false;

  get bytes(): number {
    return this.#bytes;
  }

  add(bytes: number, minute: number): void {
    this.#bytes += bytes;
    this.#byMinute.set(minute, (this.#byMinute.get(minute) ?? 0) + bytes);
  }

  forgetBefore(minute: number): void {
    for (const [begun, bytes] of this.#byMinute) {
      if (begun >= minute) return;
      this.#byMinute.delete(begun);
      this.#bytes -= bytes;
    }
  }

  /** How many whole minutes must be over until less than `most` is left. */
  freeAfter(most: number): number {
    let left = this.#bytes;
    for (const [minute, bytes] of this.#byMinute) {
      left -= bytes;
      if (left < most) return minute + minutes + 1;
    }
    return 0;
  }
}

export interface RecordBudgetOptions {
  /** `recordMiBPerHour` of endpoint.json. */
  readonly mebibytesPerHour: number;
  /** A monotonic clock. */
  readonly nowMs: () => number;
  /** A user used it up, for the first time since it was free. */
  readonly onStruck: (connectedUser: string) => void;
}

/**
 * How much each person may put on the record within an hour, log and transcripts together: one person must not fill the disk
 * that everybody's record needs. Disclosures don't count, they have a limit of their own, and an export of all keys is a
 * large one. Counted by the user, the key and the certificate's key id: a reason to stop is any of them.
 */
export class RecordBudget {
  readonly #options: RecordBudgetOptions;
  readonly #most: number;
  readonly #uses = new Map<string, Use>();
  /** Connection → who logged in on it, until it closes. */
  readonly #parties = new Map<string, RecordedParty>();
  readonly #sessions = new Set<{ readonly party: RecordedParty; readonly over: AbortController }>();

  constructor(options: RecordBudgetOptions) {
    this.#options = options;
    this.#most = options.mebibytesPerHour * mebibyte;
  }

  /** Counts an event and the length of its line. */
  takeEvent(event: AuditEvent, bytes: number): void {
    if (!("connectedUser" in event) || event.connectedUser === undefined || event.type === "disclosure") return;
    const { connectedUser } = event;
    const connectionId = "connectionId" in event ? event.connectionId : undefined;
    if (event.type === "authentication" && event.outcome === "accepted" && connectionId !== undefined) {
      const { keyFingerprint, certificate } = event;
      this.#parties.set(connectionId, { connectedUser, keyFingerprint, certificate });
    }
    this.take((connectionId === undefined ? undefined : this.#parties.get(connectionId)) ?? { connectedUser }, bytes);
    if (event.type === "connection-closed" && connectionId !== undefined) this.#parties.delete(connectionId);
  }

  take(party: RecordedParty, bytes: number): void {
    const minute = this.#minute();
    let isFirst = false;
    for (const use of this.#of(party)) {
      use.add(bytes, minute);
      if (use.bytes < this.#most || use.struck) continue;
      isFirst = true;
      use.struck = true;
    }
    if (!isFirst) return;
    for (const { party: other, over } of this.#sessions) {
      const why = this.usedUp(other);
      if (why !== undefined) over.abort(why);
    }
    if (party.connectedUser !== undefined) this.#options.onStruck(party.connectedUser);
  }

  /** Why this person may put nothing more on the record for now, in a sentence with the time from which they may. */
  usedUp(party: RecordedParty): EndpointError | undefined {
    const over = this.#of(party).find((use) => use.bytes >= this.#most);
    return over && this.#refusal(over);
  }

  /**
   * Aborts when this person has used it up; its reason is what `usedUp` says.
   *
   * @param ended aborts when the session is over
   */
  signalFor(party: RecordedParty, ended: AbortSignal): AbortSignal {
    const session = { party, over: new AbortController() };
    this.#sessions.add(session);
    ended.addEventListener("abort", () => this.#sessions.delete(session), { once: true });
    return session.over.signal;
  }

  #minute(): number {
    return Math.floor(this.#options.nowMs() / minuteMs);
  }

  #refusal(use: Use): EndpointError {
    const waitMinutes = use.freeAfter(this.#most) - this.#minute();
    return new EndpointError(
      "LimitsExceeded",
      `You put ${this.#options.mebibytesPerHour} MiB on the record within an hour, which is the most (recordMiBPerHour). ` +
        `Go on in ${plural(waitMinutes, "minute")}.`,
    );
  }

  #of(party: RecordedParty): readonly Use[] {
    const oldest = this.#minute() - minutes;
    return identitiesOf(party).map((identity) => {
      let use = this.#uses.get(identity);
      if (use === undefined) {
        this.#forgetQuiet(oldest);
        use = new Use();
        this.#uses.set(identity, use);
      }
      use.forgetBefore(oldest);
      use.struck &&= use.bytes >= this.#most;
      return use;
    });
  }

  #forgetQuiet(oldest: number): void {
    for (const [identity, use] of this.#uses) {
      use.forgetBefore(oldest);
      if (use.bytes === 0) this.#uses.delete(identity);
    }
  }
}
