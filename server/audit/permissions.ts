import { createHash, type Hash } from "node:crypto";
import type { LogLine } from "./log-lines.ts";
import type { NamedSegment, NamedTranscript, RecordLoss } from "./record-loss.ts";

/** An event as a reader has it: whichever version wrote it, and perhaps not one of ours. */
export interface LooseEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** What earlier prunings left, as a verification just found it and found it permitted. */
export interface PrunedBefore {
  readonly segments: readonly NamedSegment[];
  /** Transcripts that pruned events may have named: development versions left some behind. */
  readonly transcripts: readonly NamedTranscript[];
}

interface Adopted {
  readonly seq: number;
  readonly from: number;
  readonly to: number;
  readonly tornFiles: readonly string[];
}

interface Pruned {
  readonly seq: number;
  readonly segments: readonly NamedSegment[];
  readonly transcripts: readonly NamedTranscript[];
  readonly tornFiles: readonly string[];
  /** Of development versions: every line up to it, no segment by name. */
  readonly throughSeq: number;
  readonly isOldForm: boolean;
}

/** What a signed event says may be missing from the record, or be there beside it. */
export interface Counted {
  readonly segments: ReadonlyMap<string, NamedSegment>;
  /** Digest by name; an empty one where an event of the old form names it. */
  readonly transcripts: ReadonlyMap<string, string>;
  /** Digest by name of transcripts that no session has, and that were accepted. */
  readonly extra: ReadonlyMap<string, string>;
  /** Files of segments whose loss was accepted. */
  readonly acceptedSegments: ReadonlySet<string>;
  readonly goneTornFiles: ReadonlySet<string>;
  /** Kept and named by an event, or adopted at a start. */
  readonly keptTornFiles: ReadonlySet<string>;
  /** Up to here events of the old form took lines away; 0 for none. */
  readonly oldThroughSeq: number;
}

const text = (value: unknown): string => (typeof value === "string" ? value : "");
const number = (value: unknown): number => (typeof value === "number" ? value : 0);
const array = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** Fields of an object that may be anything. */
const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? { ...value } : {};

/** Segments as an event names them. */
export const segmentsOf = (event: LooseEvent): NamedSegment[] => array(event["segments"]).map(segmentOf);

const segmentOf = (value: unknown): NamedSegment => {
  const fields = fieldsOf(value);
  return {
    file: text(fields["file"]),
    firstSeq: number(fields["firstSeq"]),
    lastSeq: number(fields["lastSeq"]),
    digest: text(fields["digest"]),
    ...(typeof fields["lastAt"] === "string" ? { lastAt: fields["lastAt"] } : {}),
  };
};

const transcriptsOf = (value: unknown): NamedTranscript[] =>
  array(value).map((one) =>
    typeof one === "string"
      ? { name: one, digest: "" }
      : { name: text(fieldsOf(one)["name"]), digest: text(fieldsOf(one)["digest"]) },
  );

/** What a `loss-accepted` event names. */
export const lossOf = (event: LooseEvent): RecordLoss => ({
  segments: segmentsOf(event),
  missing: transcriptsOf(event["missing"]),
  extra: transcriptsOf(event["extra"]),
  checkpoints: event["checkpoints"] === "gone" ? "gone" : "kept",
  ...alteredOf(event["altered"]),
});

const alteredOf = (value: unknown): Pick<RecordLoss, "altered"> => {
  if (value === undefined) return {};
  const { from, to, brokenLine } = fieldsOf(value);
  return { altered: { from: number(from), to: number(to), brokenLine: number(brokenLine) } };
};

const digestByName = (transcripts: readonly NamedTranscript[]): [string, string][] =>
  transcripts.map(({ name, digest }) => [name, digest]);

const prunedOf = (event: LooseEvent, seq: number): Pruned => ({
  seq,
  segments: segmentsOf(event),
  transcripts: transcriptsOf(event["transcripts"]),
  tornFiles: array(event["tornFiles"]).map(text),
  throughSeq: number(event["throughSeq"]),
  isOldForm: event["segments"] === undefined,
});

/**
 * What the record's own events permit: that lines, transcripts and torn lines are gone, or lie beside it. Whoever can append a
 * line could permit themselves anything, so an event permits only once a trusted signature covers it, and never one that was
 * adopted at a start: the signature over that was made without knowing who wrote it.
 */
export class Permissions {
  readonly #pruned: Pruned[] = [];
  readonly #accepted: (RecordLoss & { readonly seq: number })[] = [];
  readonly #adopted: Adopted[] = [];
  readonly #repaired: { readonly seq: number; readonly keptAs: string }[] = [];

  take(event: LooseEvent, seq: number): void {
    if (event.type === "log-pruned") this.#pruned.push(prunedOf(event, seq));
    else if (event.type === "log-repaired") this.#repaired.push({ seq, keptAs: text(event["keptAs"]) });
    else if (event.type === "loss-accepted") {
      this.#accepted.push({ seq, ...lossOf(event) });
    } else if (event.type === "log-adopted") {
      const { from, to, tornFiles } = event;
      this.#adopted.push({ seq, from: number(from), to: number(to), tornFiles: array(tornFiles).map(text) });
    }
  }

  /** Whether the event was signed only because it was there, or not at all, as far as a checkpoint of this size says. */
  isWorthless(seq: number, signedThrough: number): boolean {
    if (seq > signedThrough) return true;
    // From the last: one that was itself adopted says nothing about those before it.
    let before = Infinity;
    for (const one of this.#adopted.toReversed()) {
      if (one.seq > signedThrough || one.seq >= before) continue;
      // It speaks of the lines right before it; one that names others was not written by a start.
      if (one.to !== one.seq - 1 || one.from < 1) continue;
      if (seq >= one.from && seq <= one.to) return true;
      before = one.from;
    }
    return false;
  }

  counted(signedThrough: number): Counted {
    const counts = ({ seq }: { readonly seq: number }): boolean => !this.isWorthless(seq, signedThrough);
    const pruned = this.#pruned.filter(counts);
    const accepted = this.#accepted.filter(counts);
    return {
      segments: new Map(
        [...pruned, ...accepted]
          .flatMap(({ segments, seq }) => segments.filter(({ lastSeq }) => lastSeq < seq))
          .map((one) => [one.file, one]),
      ),
      transcripts: new Map([
        ...pruned.flatMap(({ transcripts }) => digestByName(transcripts)),
        ...accepted.flatMap(({ missing }) => digestByName(missing)),
      ]),
      extra: new Map(accepted.flatMap(({ extra }) => digestByName(extra))),
      acceptedSegments: new Set(accepted.flatMap(({ segments }) => segments.map(({ file }) => file))),
      goneTornFiles: new Set(pruned.flatMap(({ tornFiles }) => tornFiles)),
      keptTornFiles: new Set([
        ...this.#repaired.filter(counts).map(({ keptAs }) => keptAs),
        ...this.#adopted.filter(counts).flatMap(({ tornFiles }) => tornFiles),
      ]),
      oldThroughSeq: Math.max(
        0,
        ...pruned.filter(({ isOldForm }) => isOldForm).map(({ throughSeq, seq }) => Math.min(throughSeq, seq - 1)),
      ),
    };
  }
}

/** Whether a signed event says that the transcript is gone. */
export const mayBeMissing = ({ transcripts }: Counted, { name, digest }: NamedTranscript): boolean => {
  const permitted = transcripts.get(name);
  return permitted !== undefined && (permitted === "" || digest === "" || permitted === digest);
};

/** Whether another transcript was accepted in the place of the one that was closed. @param found the digest of what is there */
export const isAcceptedInPlace = (
  { transcripts, extra }: Counted,
  { name, digest }: NamedTranscript,
  found: string,
): boolean => transcripts.get(name) === digest && extra.get(name) === found;

interface FoundSegment {
  readonly name: string;
  readonly firstSeq: number;
  lastSeq: number;
  readonly hash: Hash;
  /** Lines stand before it: pruning takes the oldest first. */
  readonly afterLines: boolean;
}

const isPermitted = (
  { file, firstSeq, lastSeq, digest }: NamedSegment,
  { segments, oldThroughSeq }: Counted,
): boolean => {
  const named = segments.get(file);
  if (named === undefined) return lastSeq <= oldThroughSeq;
  return named.firstSeq === firstSeq && named.lastSeq === lastSeq && named.digest === digest;
};

/** Segments of which hashes are left, held against what permits that. */
export class PrunedSegments {
  readonly #found: FoundSegment[] = [];
  #lineBefore = false;

  take({ segment, seq, content }: LogLine): void {
    if (content.kind === "line") this.#lineBefore = true;
    if (content.kind !== "pruned") return;
    let last = this.#found.at(-1);
    if (last?.name !== segment) {
      last = { name: segment, firstSeq: seq, lastSeq: seq, hash: createHash("sha256"), afterLines: this.#lineBefore };
      this.#found.push(last);
    }
    last.lastSeq = seq;
    last.hash.update(content.leaf);
  }

  /** The last event of which only a hash is left. */
  get throughSeq(): number {
    return this.#found.at(-1)?.lastSeq ?? 0;
  }

  /** As an event would name them. */
  get named(): NamedSegment[] {
    return this.#found.map(({ name, firstSeq, lastSeq, hash }) => ({
      file: name.replace(/\.hashes$/, ".ndjson"),
      firstSeq,
      lastSeq,
      digest: hash.copy().digest("hex"),
    }));
  }

  /** The same, with what the events that permit it say of their times. */
  namedAs({ segments }: Counted): NamedSegment[] {
    return this.named.map((one) => {
      const { lastAt } = segments.get(one.file) ?? {};
      return lastAt === undefined ? one : { ...one, lastAt };
    });
  }

  /** What is missing without permission. */
  unpermitted(counted: Counted): NamedSegment[] {
    const outOfOrder = new Set(this.#outOfOrder(counted).map(({ firstSeq }) => firstSeq));
    return this.named.filter((one) => !isPermitted(one, counted) || outOfOrder.has(one.firstSeq));
  }

  /** The same, in words. */
  problems(counted: Counted): string[] {
    const problems = this.named
      .filter((one) => !isPermitted(one, counted))
      .map(
        ({ file, firstSeq, lastSeq }) =>
          `events ${firstSeq} to ${lastSeq} are hashes only (audit/log/${file.replace(/\.ndjson$/, ".hashes")}), and no signed event says so`,
      );
    const [first] = this.#outOfOrder(counted);
    if (first !== undefined) {
      problems.push(`audit/log/${first.name} holds hashes, but lines stand before it: pruning takes the oldest first`);
    }
    return problems;
  }

  #outOfOrder({ acceptedSegments }: Counted): FoundSegment[] {
    return this.#found.filter(
      ({ name, afterLines }) => afterLines && !acceptedSegments.has(name.replace(/\.hashes$/, ".ndjson")),
    );
  }
}
