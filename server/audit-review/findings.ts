/** A log that is wrong from one place on is wrong a million times: so many are told, the rest is counted. */
const mostTold = 50;

/** What a verification found. */
export class Findings {
  readonly #problems: string[] = [];
  readonly #notices: string[] = [];
  #untold = 0;

  problem(text: string): void {
    if (this.#problems.length < mostTold) this.#problems.push(text);
    else this.#untold += 1;
  }

  notice(text: string): void {
    if (this.#notices.length < mostTold) this.#notices.push(text);
  }

  get problems(): readonly string[] {
    return this.#untold === 0 ? this.#problems : [...this.#problems, `and ${this.#untold} more problems`];
  }

  get notices(): readonly string[] {
    return this.#notices;
  }
}
