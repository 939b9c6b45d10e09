import { EndpointError } from "../errors.ts";
import { identitiesOf, type Party, type RecordedParty } from "../identity/party.ts";
import { plural } from "../model/plural.ts";

const hourMs = 60 * 60_000;
/** The largest limit a roles file can set (entry-rules.ts): who was shown so many keys is over any limit, so no more are remembered. */
const mostRemembered = 10_000;

/** A key that was shown to somebody, as the record has it. */
export interface ShownKey {
  readonly party: RecordedParty;
  readonly keyId: string;
  readonly at: Date;
}

export interface DisclosureLimit {
  /** Different keys within an hour. */
  readonly most: number;
  readonly roleCapability: string;
}

const counted = (count: number): string => plural(count, "different recovery key");

/**
 * How many different keys each identity of a party was shown within the last hour, in all sessions and by whatever role: split into
 * many commands or many sessions it is the same number. A key that is shown again counts once, from the last time.
 */
export class DisclosureCounts {
  readonly #now: () => Date;
  /** Identity → key id → when it was shown last; oldest first. */
  readonly #shown = new Map<string, Map<string, number>>();

  /** @param earlier what the record says of the hour before this start: a restart frees nobody */
  constructor(now: () => Date, earlier: readonly ShownKey[]) {
    this.#now = now;
    const nowMs = now().getTime();
    for (const { party, keyId, at } of earlier) {
      if (at.getTime() <= nowMs - hourMs) continue;
      // A wall clock that was set back must not keep keys counted for longer than an hour from now.
      for (const shown of this.#of(party)) this.#remember(shown, keyId, Math.min(at.getTime(), nowMs));
    }
  }

  /**
   * Counts a batch before it is disclosed. Checks and counts in one go, so that sessions that race see each other.
   *
   * @returns takes the batch back: it could not be recorded, so it was not shown
   * @throws EndpointError LimitsExceeded; then nothing of the batch counts
   */
  reserve(party: Party, keyIds: readonly string[], limit: DisclosureLimit | undefined): () => void {
    const nowMs = this.#now().getTime();
    this.#forget(nowMs);
    const all = this.#of(party);
    if (limit !== undefined) for (const shown of all) this.#check(shown, new Set(keyIds), limit);
    const takeBacks = all.map((shown) => this.#mark(shown, keyIds, nowMs));
    return () => takeBacks.forEach((takeBack) => takeBack());
  }

  #mark(shown: Map<string, number>, keyIds: readonly string[], nowMs: number): () => void {
    const fresh: string[] = [];
    for (const keyId of keyIds) {
      if (!shown.has(keyId)) fresh.push(keyId);
      this.#remember(shown, keyId, nowMs);
    }
    return () => {
      for (const keyId of fresh) {
        // Shown by another session meanwhile: only this batch's own mark is taken back.
        if (shown.get(keyId) === nowMs) shown.delete(keyId);
      }
    };
  }

  #check(shown: ReadonlyMap<string, number>, batch: ReadonlySet<string>, { most, roleCapability }: DisclosureLimit) {
    const others = [...shown].filter(([keyId]) => !batch.has(keyId));
    const excess = others.length + batch.size - most;
    if (excess <= 0 || [...batch].every((keyId) => shown.has(keyId))) return;
    const limit = `your role ${roleCapability} allows ${counted(most)} an hour (disclosuresPerHour)`;
    if (batch.size > most) {
      throw new EndpointError(
        "LimitsExceeded",
        `This would show ${counted(batch.size)} at once, and ${limit}. Ask for fewer.`,
      );
    }
    const freeMs = (others[excess - 1]?.[1] ?? 0) + hourMs;
    throw new EndpointError(
      "LimitsExceeded",
      `You were shown ${counted(shown.size)} within the last hour, and ${limit}. This can be shown from ${new Date(freeMs).toISOString()} on.`,
    );
  }

  #remember(shown: Map<string, number>, keyId: string, atMs: number): void {
    shown.delete(keyId); // so that the newest stands last
    shown.set(keyId, atMs);
    if (shown.size <= 2 * mostRemembered) return;
    // Many at once: finding the oldest of a map that many were deleted from takes 40 µs, 4 s for an export of 100,000 keys.
    let excess = shown.size - mostRemembered;
    for (const oldest of shown.keys()) {
      if (excess === 0) break;
      excess -= 1;
      shown.delete(oldest);
    }
  }

  /** Once a batch: for each key it took 14 s of a start after some exports, as finding the oldest does (see `#remember`). */
  #forget(nowMs: number): void {
    for (const [identity, shown] of this.#shown) {
      for (const [keyId, atMs] of shown) {
        if (atMs > nowMs - hourMs) break;
        shown.delete(keyId);
      }
      if (shown.size === 0) this.#shown.delete(identity);
    }
  }

  #of(party: RecordedParty): readonly Map<string, number>[] {
    return identitiesOf(party).map((identity) => {
      const shown = this.#shown.get(identity) ?? new Map<string, number>();
      this.#shown.set(identity, shown);
      return shown;
    });
  }
}
