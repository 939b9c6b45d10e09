import type { KeyObject } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { RowSum } from "./row-set.ts";
import type { SetState } from "./row-set.ts";

/** What one transaction does to the set of rows. */
export interface SetChanges {
  /** At its beginning: one that was rolled back has left something here. */
  readonly clear: () => void;
  /** The state after it. @returns undefined where no row changed */
  readonly applyTo: (state: SetState, digest: string) => SetState | undefined;
}

/** Gives a connection `row_set_change(kind, before, after)`, with which the triggers of an import say what digest a row had and has. */
export const collectSetChanges = (database: DatabaseSync, elementKey: KeyObject): SetChanges => {
  let added: Uint8Array[] = [];
  let taken: Uint8Array[] = [];
  const rows = { key: 0, link: 0 };
  database.function("row_set_change", { directOnly: true }, (kind, before, after) => {
    if (!(before instanceof Uint8Array) || !(after instanceof Uint8Array) || (kind !== "key" && kind !== "link"))
      throw new TypeError("row_set_change is called by the triggers of an import alone");
    if (before.length > 0) taken.push(before);
    if (after.length > 0) added.push(after);
    rows[kind] += Number(after.length > 0) - Number(before.length > 0);
    return null;
  });
  return {
    clear: () => {
      added = [];
      taken = [];
      rows.key = 0;
      rows.link = 0;
    },
    applyTo: (state, digest) => {
      if (added.length === 0 && taken.length === 0) return undefined;
      const sum = new RowSum(elementKey, state.sum);
      sum.add(added);
      sum.take(taken);
      return {
        counter: state.counter + 1,
        keys: state.keys + rows.key,
        links: state.links + rows.link,
        sum: sum.text,
        before: digest,
      };
    },
  };
};
