import type { LooseEvent } from "./permissions.ts";
import { siteState, type SiteState } from "./site-events.ts";

const stateIn = siteState.strip();

/** What an event says of the state of the site database's rows; undefined where it says nothing of it. */
export const siteStateIn = (event: LooseEvent): SiteState | undefined =>
  event.type === "site-written" || event.type === "site-restore-accepted" ? stateIn.safeParse(event).data : undefined;

/**
 * By its number and not by its place: writes only count up, so whoever puts an older one into the log again, signed or not, makes nothing
 * older.
 */
export const newerState = (state: SiteState, before: SiteState | undefined): SiteState =>
  before !== undefined && state.counter < before.counter ? before : state;

/** What the record says of the site database's rows, line by line. */
export class SiteStates {
  readonly #said: { readonly seq: number; readonly state: SiteState }[] = [];

  take(event: LooseEvent, seq: number): void {
    const state = siteStateIn(event);
    if (state !== undefined) this.#said.push({ seq, state });
  }

  /** The newest state of those that count. */
  newest(counts: (seq: number) => boolean): SiteState | undefined {
    let newest: SiteState | undefined;
    for (const { seq, state } of this.#said) if (counts(seq)) newest = newerState(state, newest);
    return newest;
  }
}
