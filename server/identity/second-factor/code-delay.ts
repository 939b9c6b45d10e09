import { proofsOf, type Party } from "../party.ts";

/** Wrong codes that cost nothing: a slip of the finger, a telephone that is late. */
const freeOfOne = 3;
/** Of all that is new to a user together: so many that one stolen key takes hours to get there. */
const freeOfNew = 30;
/** One code's life; doubled with each wrong code after. */
const firstMs = 30_000;
const mostMs = 15 * 60_000;
const forgottenAfterMs = 24 * 60 * 60_000;

interface Count {
  readonly wrong: number;
  readonly since: number;
}

const newTo = ({ connectedUser }: Party): string => `new to ${connectedUser}`;

/**
 * Slows guessing down (RFC 4226 §7.3): at most about a hundred codes a day, each of which is right with 3 in 1,000,000.
 *
 * Wrong codes count by what was proved before they were asked for: the key, and the certificate's authority and key id,
 * whichever user they were for: a certificate for a fresh key is the same holder's, and a key that opens several names has no fresh tries for
 * each. What never gave a right code for a user also shares one count for that user, so that ever new keys with ever new key ids
 * don't escape. What gave a right code is free of that count, so a stolen key can't lock its owner's other keys out
 * (OWASP calls it device cookies). A count by user alone would let a thief lock a named user out; a count by address would
 * let a botnet guess.
 */
export class CodeDelay {
  /** Identity → user → wrong codes. A right code clears those for its own user only: it says nothing of the others. */
  readonly #counts = new Map<string, Map<string, Count>>();
  /** User → what gave a right code for that user. */
  readonly #known = new Map<string, Set<string>>();

  waitMs(party: Party, nowMs: number): number {
    const own = proofsOf(party).map((identity) => this.#waitOf(identity, freeOfOne, nowMs));
    return Math.max(0, ...own, this.#isKnown(party) ? 0 : this.#waitOf(newTo(party), freeOfNew, nowMs));
  }

  failed(party: Party, nowMs: number): void {
    this.#forget(nowMs);
    for (const identity of [...proofsOf(party), ...(this.#isKnown(party) ? [] : [newTo(party)])]) {
      const ofUsers = this.#counts.get(identity) ?? new Map<string, Count>();
      this.#counts.set(identity, ofUsers);
      ofUsers.set(party.connectedUser, { wrong: (ofUsers.get(party.connectedUser)?.wrong ?? 0) + 1, since: nowMs });
    }
  }

  /** A right code; also of one that the record has from before this start. */
  succeeded(party: Party): void {
    const { connectedUser } = party;
    const known = this.#known.get(connectedUser) ?? new Set<string>();
    this.#known.set(connectedUser, known);
    for (const identity of proofsOf(party)) {
      known.add(identity);
      this.#counts.get(identity)?.delete(connectedUser);
    }
  }

  #isKnown(party: Party): boolean {
    const known = this.#known.get(party.connectedUser);
    return proofsOf(party).some((identity) => known?.has(identity) === true);
  }

  #waitOf(identity: string, free: number, nowMs: number): number {
    const counts = [...(this.#counts.get(identity)?.values() ?? [])];
    const wrong = counts.reduce((sum, count) => sum + count.wrong, 0);
    if (wrong < free) return 0;
    const since = Math.max(...counts.map((count) => count.since));
    return Math.max(0, since + Math.min(mostMs, firstMs * 2 ** (wrong - free)) - nowMs);
  }

  #forget(nowMs: number): void {
    for (const [identity, ofUsers] of this.#counts) {
      for (const [user, { since }] of ofUsers) if (nowMs - since > forgottenAfterMs) ofUsers.delete(user);
      if (ofUsers.size === 0) this.#counts.delete(identity);
    }
  }
}
