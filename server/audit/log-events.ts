import * as z from "zod";
import { event, saying } from "./define-event.ts";

const prunedSegment = z.strictObject({
  file: z.string(),
  firstSeq: z.number().int(),
  lastSeq: z.number().int(),
  digest: z.string(),
});

/** Another one each time: a description belongs to the list that it is registered for. */
const namedTranscripts = () => z.array(z.strictObject({ name: z.string(), digest: z.string() }));

/** What becomes of the log itself. Whatever a reader of the record forgives, one of these says so, under a checkpoint (permissions.ts). */
export const logEvents = [
  event("log-repaired", "A crash left a torn last line, which was moved aside.", {
    file: z.string(),
    droppedBytes: z
      .number()
      .int()
      .register(...saying("Bytes of a torn last line, moved aside.")),
    keptAs: z.string(),
    digest: z
      .string()
      .optional()
      .register(...saying("SHA-256 of them, hexadecimal; lines of development versions have none.")),
  }),
  event(
    "log-adopted",
    "A start found unsigned lines behind the last signature. It signs them, and they permit nothing.",
    {
      from: z.number().int(),
      to: z
        .number()
        .int()
        .register(...saying("The line before this one. Less than `from` when only a torn line was found.")),
      root: z.string().register(...saying("Root of the tree over all lines up to `to`, base64.")),
      tornFiles: z.array(z.string()).register(...saying("Torn lines kept beside the log that no signed event names.")),
    },
  ),
  event("log-key-rotated", "The log has a new key. The old key's last checkpoint covers this line.", {
    localUser: z.string(),
    from: z.string().register(...saying("Ed25519 public keys, 32 bytes, base64.")),
    to: z.string(),
  }),
  event("log-pruned", "Lines were taken away. Their hashes stay.", {
    localUser: z.string(),
    before: z.string(),
    segments: z
      .array(prunedSegment.extend({ lastAt: z.string().optional() }))
      .register(
        ...saying(
          "Exactly these are hashes only; `digest` is SHA-256 over the hashes of their lines, one after the other. `lastAt` is the latest time in them, where it is known.",
        ),
      ),
    transcripts: namedTranscripts().register(
      ...saying("With the digests that their sessions' ends have; empty where one has none."),
    ),
    tornFiles: z.array(z.string()).register(...saying("Torn lines that were kept beside these segments.")),
  }),
  event(
    "loss-accepted",
    "An administrator of the machine accepted exactly these losses, so that the server may start.",
    {
      localUser: z.string(),
      segments: z.array(prunedSegment).register(...saying("Of these, hashes are left only; as in `log-pruned`.")),
      missing: namedTranscripts().register(
        ...saying("Transcripts that sessions had, with the digests in the log; empty where it has none."),
      ),
      extra: namedTranscripts().register(
        ...saying("Transcripts that no session has, with their digests; empty where it is no regular file."),
      ),
      checkpoints: z
        .enum(["kept", "gone"])
        .register(...saying("`gone`: nothing was left that signed the events before this one.")),
      altered: z
        .strictObject({ from: z.number().int(), to: z.number().int(), brokenLine: z.number().int() })
        .optional()
        .register(
          ...saying("Lines behind the last signature that holds, and the first of them whose signature does not."),
        ),
    },
  ),
  event("log-summarized", "A summary of the log up to a line was stored. A start may go on from it.", {
    through: z.number().int(),
    digest: z.string().register(...saying("SHA-256 of the file, hexadecimal.")),
  }),
  event("record-verification", "The whole record was verified: it does not hold, or it holds again.", {
    state: z.enum(["failed", "passed"]),
    problems: z.array(z.string()).register(...saying("In words, the first of them.")),
  }),
] as const;
