import { segmentsOf, type Counted } from "../audit/permissions.ts";
import { textOf, type ReadEvent } from "./decode-line.ts";
import type { Findings } from "./findings.ts";

/** What each pruning says of itself: it takes whole segments from the beginning, and none that is not older than its date. */
export class PruningChecks {
  readonly #findings: Findings;
  readonly #prunings: { readonly event: ReadEvent; readonly seq: number; readonly at: string }[] = [];

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  take(event: ReadEvent, seq: number, at: string): void {
    // One of the old form names no segment; its own place says how far it may have gone.
    if (event.type === "log-pruned" && event["segments"] !== undefined) this.#prunings.push({ event, seq, at });
  }

  /** @param isWorthless an event that permits nothing needs no check */
  end({ acceptedSegments }: Counted, isWorthless: (seq: number) => boolean): void {
    for (const { event, seq, at } of this.#prunings) {
      if (isWorthless(seq)) continue;
      const before = textOf(event, "before");
      if (!(Date.parse(before) <= Date.parse(at))) {
        this.#findings.problem(`event ${seq} pruned what is older than ${before}, which was not past at ${at}`);
      }
      let next = 1;
      for (const segment of segmentsOf(event).toSorted((a, b) => a.firstSeq - b.firstSeq)) {
        const { file, firstSeq, lastSeq, lastAt } = segment;
        if (lastAt !== undefined && !(Date.parse(lastAt) < Date.parse(before))) {
          this.#findings.problem(
            `event ${seq} pruned audit/log/${file}, which goes to ${lastAt}, not before ${before}`,
          );
        }
        if (firstSeq === next) next = lastSeq + 1;
        else if (!acceptedSegments.has(file)) {
          this.#findings.problem(
            `event ${seq} pruned audit/log/${file}, but not all before it: pruning takes the oldest first`,
          );
        }
      }
    }
  }
}
