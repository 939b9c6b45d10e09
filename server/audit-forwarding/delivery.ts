/** A place in the log that the receiver has read everything up to, and when that was known. */
interface Confirmation {
  readonly seq: number;
  readonly atMs: number;
}

/**
 * What is known of the receiver. *Sent* means nothing (the bytes may lie in a socket), *confirmed* is what it has read, *settled*
 * what it had read and then lived on for a while, so that it has brought it somewhere safe. Only what is settled is never sent
 * again.
 */
export class Delivery {
  readonly #settleMs: number;
  #settled: number;
  #confirmations: Confirmation[] = [];
  #sent: number;

  constructor(settled: number, settleMs: number) {
    this.#settled = settled;
    this.#sent = settled;
    this.#settleMs = settleMs;
  }

  get settled(): number {
    return this.#settled;
  }

  get confirmed(): number {
    return this.#confirmations.at(-1)?.seq ?? this.#settled;
  }

  get sent(): number {
    return this.#sent;
  }

  /** When the receiver should be asked for a sign of life, so that what is confirmed can settle; undefined for not at all. */
  get settlesAtMs(): number | undefined {
    const [oldest] = this.#confirmations;
    return oldest === undefined ? undefined : oldest.atMs + this.#settleMs;
  }

  send(seq: number): void {
    this.#sent = seq;
  }

  /** The receiver has read all that was sent, and is alive: so what it had read long enough ago is settled. */
  confirm(atMs: number): void {
    const settled = this.#confirmations.findLast((earlier) => earlier.atMs + this.#settleMs <= atMs);
    if (settled !== undefined) {
      this.#settled = settled.seq;
      this.#confirmations = this.#confirmations.filter(({ seq }) => seq > settled.seq);
    }
    if (this.#sent > this.confirmed) this.#confirmations.push({ seq: this.#sent, atMs });
  }

  /** The receiver may have died: whatever is not settled is sent again. */
  lose(): void {
    this.#confirmations = [];
    this.#sent = this.#settled;
  }
}
