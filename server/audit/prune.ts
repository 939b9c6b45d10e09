import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { EndpointError } from "../errors.ts";
import { openFresh } from "../files/new-file.ts";
import { synchronizeDirectory } from "../files/replace-file.ts";
import type { AuditEvent } from "./event.ts";
import { linesInTurns, prunedName, type Segment } from "./log-lines.ts";
import { leafHash } from "./merkle-tree.ts";
import type { PrunePlan } from "./plan-prune.ts";
import { removeSummaries } from "./summary.ts";

/** So many transcripts are named in one event: a message to the running server has an end. */
const mostNamed = 5_000;

/** What is to be on the record, signed, before a plan is carried out. */
export const prunedEvents = (
  { segments, before: { segments: gone }, transcripts, tornFiles }: PrunePlan,
  localUser: string,
  before: Date,
): Extract<AuditEvent, { type: "log-pruned" }>[] => {
  const said = { type: "log-pruned", localUser, before: before.toISOString() } as const;
  const events: Extract<AuditEvent, { type: "log-pruned" }>[] = [];
  for (let at = 0; at < transcripts.length - mostNamed; at += mostNamed) {
    events.push({ ...said, segments: [], transcripts: transcripts.slice(at, at + mostNamed), tornFiles: [] });
  }
  const now = segments.map(({ name, firstSeq, lastSeq, digest, lastAt }) => ({
    file: name,
    firstSeq,
    lastSeq,
    digest,
    lastAt,
  }));
  const rest = transcripts.slice(events.length * mostNamed);
  return [...events, { ...said, segments: [...gone, ...now], transcripts: rest, tornFiles: [...tornFiles] }];
};

/** Puts the hashes of a segment's lines in its place. They are durable before the lines go, so that the tree is whole at every moment. */
const hashSegment = async (directory: string, segment: Segment): Promise<void> => {
  const path = join(directory, prunedName(segment.name));
  const file = await openFresh(`${path}.new`);
  try {
    for await (const lines of linesInTurns(directory, segment)) {
      const hashes: Buffer[] = [];
      for (const { content } of lines) if (content.kind === "line") hashes.push(leafHash(content.bytes));
      await file.writeFile(Buffer.concat(hashes)); // goes on where the last one ended
    }
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
  await synchronizeDirectory(directory);
  await rm(join(directory, segment.name));
};

/**
 * Carries a plan out, once it is on the record under a checkpoint. Needs room for the hashes of one segment at a time. Done again
 * after a crash, or after it was stopped, it goes on where it ended.
 *
 * @throws EndpointError OperationStopped
 */
export const prune = async (
  auditDirectory: string,
  plan: { readonly segments: readonly Segment[] } & Pick<PrunePlan, "transcripts" | "tornFiles">,
  stop?: AbortSignal,
): Promise<void> => {
  const directory = join(auditDirectory, "log");
  const refuseToGoOn = (): void => {
    if (stop?.aborted !== true) return;
    throw new EndpointError("OperationStopped", "Stopped before everything was pruned. Run it again to go on.");
  };
  // First: on a full disk the hashes need the room.
  for (const { name } of plan.transcripts) {
    refuseToGoOn();
    await rm(join(auditDirectory, "transcripts", name), { force: true });
  }
  for (const segment of plan.segments) {
    refuseToGoOn();
    await hashSegment(directory, segment);
  }
  for (const name of plan.tornFiles) await rm(join(directory, name), { force: true });
  // The running server, or the next one, makes another.
  removeSummaries(auditDirectory);
};
