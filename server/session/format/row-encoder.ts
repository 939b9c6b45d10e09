import type { DisclosedCell } from "../delivery.ts";

export type DisclosedRow = readonly DisclosedCell[];

/** Turns rows into text, a batch at a time; nothing is kept but what the next batch needs. */
export interface RowEncoder {
  begin(): string;
  batch(rows: readonly DisclosedRow[]): string;
  end(): string;
}
