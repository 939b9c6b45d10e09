import type { LooseEvent } from "./permissions.ts";

/** What verifications beside a running server found, line by line of the log. */
export class EarlierVerifications {
  readonly #said: { readonly seq: number; readonly problems: readonly string[] }[] = [];

  take(event: LooseEvent, seq: number): void {
    if (event.type !== "record-verification") return;
    const { state, problems } = event;
    const named = Array.isArray(problems) ? problems.map(String) : [];
    this.#said.push({ seq, problems: state === "passed" ? [] : named.length > 0 ? named : ["it is not said what"] });
  }

  /**
   * What was found, and not found gone since.
   *
   * @param counts whether an event permits anything; that the record does not hold needs no permission
   */
  problems(counts: (seq: number) => boolean): readonly string[] {
    let problems: readonly string[] = [];
    for (const one of this.#said) if (one.problems.length > 0 || counts(one.seq)) ({ problems } = one);
    return problems;
  }
}
