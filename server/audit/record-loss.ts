/** A segment of which hashes are left. */
export interface NamedSegment {
  /** Its name when it had lines. */
  readonly file: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** SHA-256 over the hashes of its lines, one after the other, which is that of the file that is left of it. */
  readonly digest: string;
  /** The latest time in its lines, where an event says it. */
  readonly lastAt?: string;
}

export interface NamedTranscript {
  readonly name: string;
  readonly digest: string;
}

/** Lines behind the last signature that holds, of which one has a signature that does not. */
export interface AlteredLines {
  readonly from: number;
  readonly to: number;
  /** The first such line: it, or one before it down to `from`, was changed, put in, or written without the key. */
  readonly brokenLine: number;
}

/** What a record misses, or has too much, that no signed event explains. */
export interface RecordLoss {
  /** Hashes in the place of lines. */
  readonly segments: readonly NamedSegment[];
  /** With the digests that the log has of them; an empty one where it has none. */
  readonly missing: readonly NamedTranscript[];
  /** With their digests; an empty one where it is no regular file. One that is missing too is another than the one that was closed. */
  readonly extra: readonly NamedTranscript[];
  /** `gone`: no checkpoint is left, though events in the log came after the first one. */
  readonly checkpoints: "kept" | "gone";
  readonly altered?: AlteredLines;
}

export const describeAltered = ({ from, to, brokenLine }: AlteredLines): string =>
  `the signature of event ${brokenLine} does not hold: it, or another of the events ${from} to ${to}, was changed or put in`;

/** What is gone or too much, in words. */
export const describeLoss = ({ checkpoints, altered, segments, missing, extra }: RecordLoss): string[] => {
  const gone = new Set(missing.map(({ name }) => name));
  const resized = new Set(extra.flatMap(({ name }) => (gone.has(name) ? [name] : [])));
  return [
    ...(checkpoints === "gone" ? ["audit/checkpoint and audit/checkpoint-history are gone"] : []),
    ...(altered === undefined ? [] : [describeAltered(altered)]),
    ...segments.map(
      ({ file, firstSeq, lastSeq }) =>
        `events ${firstSeq} to ${lastSeq} are hashes only (audit/log/${file.replace(/\.ndjson$/, ".hashes")}), and no signed event says so`,
    ),
    ...[...resized].map((name) => `audit/transcripts/${name} is not as long as the one that was closed`),
    ...missing.filter(({ name }) => !resized.has(name)).map(({ name }) => `audit/transcripts/${name} is missing`),
    ...extra
      .filter(({ name }) => !resized.has(name))
      .map(({ name }) => `audit/transcripts/${name} belongs to no session on the record`),
  ];
};
