import type { Outcome } from "../delivery.ts";
import { printable, withoutPrivateUse } from "../../model/harmless-text.ts";

/** What a transcript's boundary says: the command by name, never what was typed. */
export const boundaryLabel = ({ command, exitStatus, rowCount }: Outcome): string =>
  `${command ?? "refused line"}: exit status ${exitStatus}, ${rowCount} ${rowCount === 1 ? "row" : "rows"}`;

/** A text of one line that may quote foreign text, safe for a screen. */
export const label = (text: string): string => printable(withoutPrivateUse(text));
