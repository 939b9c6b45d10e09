import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { LogLine } from "../audit/log-lines.ts";
import { digestOrNone } from "../audit/open-of-record.ts";
import { PrunedSegments, type Counted } from "../audit/permissions.ts";
import type { NamedSegment } from "../audit/record-loss.ts";
import { decodeLine, textOf, type ReadEvent } from "./decode-line.ts";
import type { Findings } from "./findings.ts";

const placeOf = ({ segment, lineNumber }: LogLine): string => `audit/log/${segment} line ${lineNumber}`;

/** Each line for itself and in its place: is it an event, and the one whose turn it is? */
export class LineChecks {
  readonly #directory: string;
  readonly #findings: Findings;
  readonly #take: (event: ReadEvent, seq: number, at: string) => void;
  #expected = 1;
  #torn: LogLine | undefined;
  readonly #pruned = new PrunedSegments();
  readonly #tornFiles: Set<string>;
  /** Named by an event that says it was kept. */
  readonly #kept: { readonly name: string; readonly seq: number; readonly digest: string }[] = [];
  #prunedSegments: readonly NamedSegment[] = [];

  constructor(directory: string, findings: Findings, take: (event: ReadEvent, seq: number, at: string) => void) {
    this.#directory = directory;
    this.#findings = findings;
    this.#take = take;
    this.#tornFiles = new Set(readdirSync(directory).filter((name) => name.includes(".torn-at-")));
    for (const name of readdirSync(directory)) {
      if (!/^\d{12}\.(ndjson(\.torn-at-\d+)?|hashes)$/.test(name)) {
        findings.notice(`${this.#directory}/${name} is no part of the log`);
      }
    }
  }

  line(place: LogLine, bytes: Buffer): void {
    this.#tornInTheMiddle();
    this.#pruned.take(place);
    const line = decodeLine(bytes);
    if (line === undefined) {
      this.#findings.problem(`${placeOf(place)} is not an event`);
      this.#expected += 1;
      return;
    }
    this.#inTurn(line.seq, placeOf(place));
    const { event, seq, at } = line;
    if (event.type === "log-repaired") {
      this.#kept.push({ name: textOf(event, "keptAs"), seq, digest: textOf(event, "digest") });
    }
    // By its place, not by the number that it gives itself.
    this.#take(event, place.seq, at);
  }

  pruned(place: LogLine): void {
    this.#tornInTheMiddle();
    if (place.seq !== this.#expected) this.#inTurn(place.seq, placeOf(place));
    else this.#expected += 1;
    this.#pruned.take(place);
  }

  segmentGap(place: LogLine): void {
    const { content } = place;
    if (content.kind !== "gap") return;
    this.#tornInTheMiddle();
    this.#findings.problem(
      `audit/log/${place.segment} begins at event ${content.foundSeq}, but event ${place.seq} comes next`,
    );
    this.#expected = content.foundSeq;
  }

  torn(place: LogLine): void {
    this.#tornInTheMiddle();
    this.#torn = place;
  }

  get prunedSegments(): readonly NamedSegment[] {
    return this.#prunedSegments;
  }

  end(counted: Counted): void {
    if (this.#torn !== undefined) {
      this.#findings.notice(`${placeOf(this.#torn)} is unfinished: a write was interrupted, or is under way`);
    }
    this.#prunedSegments = this.#pruned.namedAs(counted);
    const problems = this.#pruned.problems(counted);
    for (const problem of problems) this.#findings.problem(problem);
    const { throughSeq } = this.#pruned;
    if (problems.length === 0 && throughSeq > 0) {
      this.#findings.notice(`events 1 to ${throughSeq} were pruned, on the record; their hashes are there`);
    }
    for (const { name, seq, digest } of this.#kept) {
      if (this.#tornFiles.has(name)) {
        if (digest !== "" && digestOrNone(join(this.#directory, name)) !== digest) {
          this.#findings.problem(`audit/log/${name} is not the torn line that event ${seq} says was kept`);
        }
        continue;
      }
      if (counted.goneTornFiles.has(name)) continue;
      this.#findings.problem(`event ${seq} says that a torn line was kept as audit/log/${name}; it is not there`);
    }
    for (const name of this.#tornFiles) {
      if (counted.keptTornFiles.has(name) || counted.goneTornFiles.has(name)) continue;
      // Its event was pruned by a version that left such files behind.
      if (Number(name.slice(0, 12)) <= counted.oldThroughSeq) continue;
      this.#findings.problem(`audit/log/${name} is not on the record`);
    }
  }

  #inTurn(seq: number, place: string): void {
    const expected = this.#expected;
    if (seq > expected) {
      const missing = seq - 1 === expected ? `event ${expected} is` : `events ${expected} to ${seq - 1} are`;
      this.#findings.problem(`${place} is event ${seq}: ${missing} missing before it`);
    } else if (seq < expected) {
      this.#findings.problem(`${place} is event ${seq}, but event ${expected} comes next: repeated or out of order`);
    }
    this.#expected = seq + 1;
  }

  #tornInTheMiddle(): void {
    if (this.#torn === undefined) return;
    this.#findings.problem(`${placeOf(this.#torn)} has no end, and yet lines follow`);
    this.#torn = undefined;
  }
}
