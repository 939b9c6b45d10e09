import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "./temporary-directory.ts";

export interface MovingClock {
  /** In front of the server's command line. */
  readonly wrapper: readonly string[];
  /** How far the server's wall clock is off from now on. */
  set(offsetMs: number): void;
}

/** A wall clock of a server's own, for the time that it takes weeks to wait for, and for clocks that jump. */
export const createMovingClock = (offsetMs: number): MovingClock => {
  const file = join(temporaryDirectory(), "offset");
  const set = (next: number): void => {
    writeFileSync(`${file}.new`, String(next));
    renameSync(`${file}.new`, file);
  };
  set(offsetMs);
  const module = join(import.meta.dirname, "moving-clock.mjs");
  return { wrapper: ["env", `NODE_OPTIONS=--import=${module}`, `PEP_TEST_CLOCK=${file}`], set };
};
