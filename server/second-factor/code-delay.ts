/** Wrong codes that cost nothing: a slip of the finger, a telephone that is late. */
const free = 3;
/** One code's life; doubled with each wrong code after. */
const firstMs = 30_000;
const mostMs = 15 * 60_000;
const forgottenAfterMs = 24 * 60 * 60_000;

interface Count {
  readonly wrong: number;
  readonly since: number;
}

/**
 * Slows guessing down (RFC 4226 §7.3): at most about a hundred codes a day, each of which is right with 3 in 1,000,000.
 *
 * It counts by user *and key*, since codes are asked only after a key has signed: whoever steals one key delays that key, and
 * the same user with another key, or anybody else, waits for nothing. A count by user alone would let a thief lock a
 * named user out; a count by address would let a botnet guess.
 */
export class CodeDelay {
  readonly #counts = new Map<string, Count>();

  static #key(user: string, keyFingerprint: string): string {
    return `${user}\n${keyFingerprint}`;
  }

  waitMs(user: string, keyFingerprint: string, nowMs: number): number {
    const count = this.#counts.get(CodeDelay.#key(user, keyFingerprint));
    if (count === undefined || count.wrong < free) return 0;
    const delay = Math.min(mostMs, firstMs * 2 ** (count.wrong - free));
    return Math.max(0, count.since + delay - nowMs);
  }

  failed(user: string, keyFingerprint: string, nowMs: number): void {
    for (const [key, { since }] of this.#counts) if (nowMs - since > forgottenAfterMs) this.#counts.delete(key);
    const key = CodeDelay.#key(user, keyFingerprint);
    this.#counts.set(key, { wrong: (this.#counts.get(key)?.wrong ?? 0) + 1, since: nowMs });
  }

  succeeded(user: string, keyFingerprint: string): void {
    this.#counts.delete(CodeDelay.#key(user, keyFingerprint));
  }
}
