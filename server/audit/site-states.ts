import type { LooseEvent } from "./permissions.ts";
import { siteState, type SiteState } from "./site-events.ts";

/** What the record says of the site database's rows, line by line. */
export class SiteStates {
  readonly #said: { readonly seq: number; readonly state: SiteState }[] = [];

  take(event: LooseEvent, seq: number): void {
    if (event.type !== "site-written" && event.type !== "site-restore-accepted") return;
    const { data } = siteState.strip().safeParse(event);
    if (data !== undefined) this.#said.push({ seq, state: data });
  }

  /**
   * The newest state of those that count. By its number and not by its place: writes only count up, so whoever puts an older one into the
   * log again, signed or not, makes nothing older.
   */
  newest(counts: (seq: number) => boolean): SiteState | undefined {
    let newest: SiteState | undefined;
    for (const { seq, state } of this.#said) if (state.counter >= (newest?.counter ?? 0) && counts(seq)) newest = state;
    return newest;
  }
}
