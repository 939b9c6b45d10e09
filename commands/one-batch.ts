import type { Row } from "../server/command/define-command.ts";

/** Rows that are there already, as a result wants them. */
export async function* oneBatch(rows: readonly Row[]): AsyncGenerator<readonly Row[]> {
  yield rows;
}
