/** Time, as an argument: a test has its own. */
export interface Clock {
  now(): number;
  after(delayMs: number, run: () => void): { cancel(): void };
}
