import type { Endpoint } from "../harness/endpoint.ts";
import type { BenchKey } from "./keys.ts";
import type { Outcome } from "./compare.ts";
import type { Peer } from "./peer.ts";

/** How much of each; the smoke run is as small as still makes sense. */
export interface Sizes {
  readonly rounds: number;
  readonly calls: number;
  readonly parallel: number;
  readonly keys: number;
  readonly rawBytes: number;
  readonly sessions: number;
  readonly appends: number;
  /** Sizes of the sites in the growth row, smallest first. */
  readonly growth: readonly number[];
}

/** What rows share, made once when the first of them asks. */
export interface Stage {
  readonly sizes: Sizes;
  readonly directory: string;
  readonly keys: readonly BenchKey[];
  endpoint(): Promise<Endpoint>;
  peer(): Promise<Peer>;
  /** `ssh`'s arguments up to the command, same algorithms on both sides. */
  ours(user: "support" | "exporter", options?: readonly string[]): Promise<readonly string[]>;
  theirs(options?: readonly string[]): Promise<readonly string[]>;
  /** What `ssh` is told in every row. */
  readonly clientOptions: readonly string[];
  /** Of the import that filled the endpoint; ask for the endpoint first. */
  importedRowsASecond(): number;
  onEnd(close: () => Promise<void> | void): void;
}

export type BenchRow = (stage: Stage) => Promise<readonly Outcome[]>;
