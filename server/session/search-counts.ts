import { EndpointError } from "../errors.ts";
import { identitiesOf, type Party, type RecordedParty } from "../identity/party.ts";

const hourMs = 60 * 60_000;

/** A search that is on the record. */
export interface DoneSearch {
  readonly party: RecordedParty;
  readonly at: Date;
}

/** How often each identity of a party searched within the last hour, in all sessions and by whatever role. */
export class SearchCounts {
  readonly #now: () => Date;
  /** Identity → when it searched, oldest first. */
  readonly #times = new Map<string, number[]>();

  /** @param earlier what the record says of the hour before this start: a restart frees nobody */
  constructor(now: () => Date, earlier: readonly DoneSearch[]) {
    this.#now = now;
    const nowMs = now().getTime();
    // A wall clock that was set back must not count for longer than an hour from now.
    for (const { party, at } of earlier) this.#add(party, Math.min(at.getTime(), nowMs));
  }

  /**
   * Counts a search before it is on the record, in one go with the look at the limit, so that sessions that race see each other.
   *
   * @returns takes it back: it could not be recorded, so nothing was asked
   * @throws EndpointError LimitsExceeded
   */
  reserve(party: Party, { perHour, roleCapability }: { readonly perHour: number; readonly roleCapability: string }) {
    const nowMs = this.#now().getTime();
    this.#forget(nowMs);
    for (const identity of identitiesOf(party)) {
      const times = this.#times.get(identity) ?? [];
      if (times.length < perHour) continue;
      const free = new Date((times[times.length - perHour] ?? nowMs) + hourMs).toISOString();
      throw new EndpointError(
        "LimitsExceeded",
        `You searched ${times.length} times within the last hour, and your role ${roleCapability} allows ${perHour} (search.perHour). ` +
          `You can search again from ${free} on.`,
      );
    }
    this.#add(party, nowMs);
    return (): void => {
      for (const identity of identitiesOf(party)) {
        const times = this.#times.get(identity);
        const at = times?.lastIndexOf(nowMs) ?? -1;
        if (at >= 0) times?.splice(at, 1);
      }
    };
  }

  #add(party: RecordedParty, atMs: number): void {
    for (const identity of identitiesOf(party)) {
      const times = this.#times.get(identity) ?? [];
      times.push(atMs);
      this.#times.set(identity, times);
    }
  }

  #forget(nowMs: number): void {
    for (const [identity, times] of this.#times) {
      const left = times.filter((atMs) => atMs > nowMs - hourMs);
      if (left.length === 0) this.#times.delete(identity);
      else this.#times.set(identity, left);
    }
  }
}
