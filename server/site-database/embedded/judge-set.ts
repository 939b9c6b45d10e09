import type { SiteRefused, SiteState } from "../../audit/site-events.ts";
import { EndpointError } from "../../errors.ts";
import type { SetExamined } from "./examine-set.ts";
import type { RowSet, SetState } from "./row-set.ts";

/** What was found, as it goes on the record. */
export type SetRefusal = Omit<SiteRefused, "type">;

/** `next`: the state was written right after the record's, and is not on the record yet. */
export type SetVerdict =
  | { readonly kind: "recorded" | "next"; readonly state: SetState; readonly shown: SiteState }
  | { readonly kind: "refused"; readonly refusal: SetRefusal };

/**
 * Holds a database's state against the record's.
 *
 * A write is in the database first and on the record then, so a crash in between, or a look at the wrong moment, finds the database one state
 * ahead. The other order would make every database that is one state behind look like such a crash, and an older copy is just that.
 * One state ahead and no more: whoever writes first puts on the record what is there.
 */
export const judgeSet = (set: RowSet, sealed: unknown, recorded: SiteState | undefined): SetVerdict => {
  const state = set.open(sealed);
  const known = recorded === undefined ? {} : { recorded };
  if (state === undefined) return { kind: "refused", refusal: { reason: "unsealed", ...known } };
  const shown = set.shown(state);
  if (shown.counter === recorded?.counter && shown.digest === recorded.digest)
    return { kind: "recorded", state, shown };
  if (shown.counter === (recorded?.counter ?? 0) + 1 && state.before === (recorded?.digest ?? ""))
    return { kind: "next", state, shown };
  const reason = recorded === undefined ? "unknown" : shown.counter < recorded.counter ? "older" : "other";
  return { kind: "refused", refusal: { reason, ...known, found: shown } };
};

const inNumbers = ({ keys, links }: { readonly keys: number; readonly links: number }): string =>
  `${keys} keys, ${links} links of computers`;
const stateInWords = (state: SiteState): string => `write ${state.counter} (${inNumbers(state)})`;

const reasons: Readonly<Record<SetRefusal["reason"], string>> = {
  older: "It is older than the record says",
  other: "It is not the one that the record knows",
  unknown: "The record knows no state of it",
  unsealed: "The seal of its rows is missing, or was written by somebody without the master key",
  rows: "Rows were taken away, put back or changed by somebody without the master key, or are damaged",
};

/** For the administrator: what was found. */
export const refusalInWords = ({ reason, recorded, found, rows, detail }: SetRefusal): string =>
  [
    `${reasons[reason]}: the record has ${recorded === undefined ? "none" : stateInWords(recorded)}`,
    found === undefined ? "" : `, the database ${stateInWords(found)}`,
    rows === undefined ? "" : `, and there are ${inNumbers(rows)}`,
    detail === undefined ? "" : ` (${detail})`,
    ".",
  ].join("");

/** And what to do. */
export const afterRefusal =
  "Put the newest copy back. If you restored this copy on purpose, run: pep site accept-restore";

/** What a walk over all rows says of the state that sealed them then. @returns undefined when they are its rows */
export const judgeRows = (
  set: RowSet,
  { walked, sealed }: SetExamined,
  recorded: SiteState | undefined,
): SetRefusal | undefined => {
  const known = recorded === undefined ? {} : { recorded };
  const state = set.open(sealed);
  if (state === undefined) return { reason: "unsealed", ...known };
  const { keys, links, sum } = walked;
  if (keys === state.keys && links === state.links && sum === state.sum) return undefined;
  return { reason: "rows", ...known, found: set.shown(state), rows: { keys, links } };
};

/** For the connected user; the log has the numbers. */
export const refusedSite = (refusal: SetRefusal): EndpointError =>
  new EndpointError(
    "ResourceUnavailable",
    "The site database is not the one that the record knows, so no key is shown. An administrator runs: pep doctor",
    { cause: new Error(`${refusalInWords(refusal)} ${afterRefusal}`) },
  );
