import type { SessionEnding } from "../../command/review-port.ts";

/**
 * What the index page carries for its script, which the server's side writes and the browser's side reads: types only. Rows are
 * tuples and repeated words are numbers, because there may be many thousands of them.
 */
export interface IndexContent {
  readonly users: readonly string[];
  readonly clients: readonly string[];
  readonly commands: readonly string[];
  readonly computers: readonly string[];
  readonly sessions: readonly SessionRow[];
}

export type SessionRow = readonly [
  sessionId: string,
  /** Below `sessions/`. */
  page: string,
  startedAtMs: number,
  /** null: no end is on the record. */
  endedAtMs: number | null,
  /** Numbers into the lists above. */
  user: number,
  client: number,
  mode: string,
  exitStatus: number | null,
  ending: SessionEnding,
  commandsRun: number,
  refusals: number,
  hasTranscript: 0 | 1,
  /** Each command that ran, once. */
  commands: readonly number[],
  keyIds: readonly string[],
  /** The computer of the key at the same place. */
  computers: readonly number[],
  /** Pairs: a UTC day, counted from 1970-01-01, and how many keys were disclosed on it. */
  disclosedByDay: readonly number[],
];
