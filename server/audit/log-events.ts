import * as z from "zod";

/** What becomes of the log itself. Whatever a reader of the record forgives, one of these says so, under a checkpoint (permissions.ts). */
export const logEvents = [
  z.strictObject({
    type: z.literal("log-repaired"),
    file: z.string(),
    /** Bytes of a torn last line, moved aside. */
    droppedBytes: z.number().int(),
    keptAs: z.string(),
    /** SHA-256 of them, hexadecimal; lines of development versions have none. */
    digest: z.string().optional(),
  }),
  /**
   * A start found lines behind the last signature, as a crash in the middle of a write leaves them. It signs them, but knows nothing of who wrote them:
   * nothing in them permits anything.
   */
  z.strictObject({
    type: z.literal("log-adopted"),
    from: z.number().int(),
    /** The line before this one. Less than `from` when only a torn line was found. */
    to: z.number().int(),
    /** Root of the tree over all lines up to `to`, base64. */
    root: z.string(),
    /** Torn lines kept beside the log that no signed event names. */
    tornFiles: z.array(z.string()),
  }),
  /** Made under the old key's last checkpoint, so that whoever trusts the old key can trust the new one. */
  z.strictObject({
    type: z.literal("log-key-rotated"),
    localUser: z.string(),
    /** Ed25519 public keys, 32 bytes, base64. */
    from: z.string(),
    to: z.string(),
  }),
  /** Lines were taken away; their hashes stay, so that the tree over the log is still whole. */
  z.strictObject({
    type: z.literal("log-pruned"),
    localUser: z.string(),
    before: z.string(),
    /**
     * Exactly these are hashes only; `digest` is SHA-256 over the hashes of their lines, one after the other. `lastAt` is the
     * latest time in them, where it is known.
     */
    segments: z.array(
      z.strictObject({
        file: z.string(),
        firstSeq: z.number().int(),
        lastSeq: z.number().int(),
        digest: z.string(),
        lastAt: z.string().optional(),
      }),
    ),
    /** With the digests that their sessions' ends have; empty where one has none. */
    transcripts: z.array(z.strictObject({ name: z.string(), digest: z.string() })),
    /** Torn lines that were kept beside these segments. */
    tornFiles: z.array(z.string()),
  }),
  /**
   * An administrator of the machine accepted that the record is not whole, or has too much, so that the server may start again.
   * Exactly what is named here is forgiven, and `pep audit verify` goes on saying so.
   */
  z.strictObject({
    type: z.literal("loss-accepted"),
    localUser: z.string(),
    /** Of these, hashes are left only; as in `log-pruned`. */
    segments: z.array(
      z.strictObject({ file: z.string(), firstSeq: z.number().int(), lastSeq: z.number().int(), digest: z.string() }),
    ),
    /** Transcripts that sessions had, with the digests in the log; empty where it has none. */
    missing: z.array(z.strictObject({ name: z.string(), digest: z.string() })),
    /** Transcripts that no session has, with their digests; empty where it is no regular file. */
    extra: z.array(z.strictObject({ name: z.string(), digest: z.string() })),
    /** `gone`: nothing was left that signed the events before this one. */
    checkpoints: z.enum(["kept", "gone"]),
    /** Lines behind the last signature that holds, and the first of them whose signature does not. */
    altered: z.strictObject({ from: z.number().int(), to: z.number().int(), brokenLine: z.number().int() }).optional(),
  }),
  /**
   * A summary of the log up to an event, all of whose segments are over, lies in `audit/summaries/`: a start goes on from it. Where that file
   * is another, or this event is not signed, it reads everything.
   */
  z.strictObject({
    type: z.literal("log-summarized"),
    through: z.number().int(),
    /** SHA-256 of the file, hexadecimal. */
    digest: z.string(),
  }),
  /** The whole record was verified beside a running server: it does not hold, so that no session starts; or it holds again. */
  z.strictObject({
    type: z.literal("record-verification"),
    state: z.enum(["failed", "passed"]),
    /** In words, the first of them. */
    problems: z.array(z.string()),
  }),
] as const;
