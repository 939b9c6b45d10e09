/** What the running program has of its surroundings. main.ts hands it in, or a test. */
export interface Runtime {
  readonly now: () => Date;
  /** Milliseconds since the process started, by a clock that nobody sets. */
  readonly uptimeMs: () => number;
  /** For the operator: a line about what is nobody's event, or what no log could take. */
  readonly report: (problem: string) => void;
}
