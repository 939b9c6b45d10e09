import type { KeyObject } from "node:crypto";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { findAbortedSessions } from "./aborted-sessions.ts";
import { Checkpointer } from "./checkpointer.ts";
import type { AuditEvent, EventLog } from "./event.ts";
import { openEventLog, type EventLogOptions } from "./event-log.ts";
import { EndpointError } from "../errors.ts";
import { logLines } from "./log-lines.ts";
import { leafHash } from "./merkle-tree.ts";
import { Permissions, PrunedSegments, type LooseEvent } from "./permissions.ts";
import { rescueSpaceIn } from "./rescue-space.ts";

export interface RecordOptions extends Omit<EventLogOptions, "directory" | "onOpened" | "onWritten" | "giveUpSpace"> {
  /** `audit/` of a data directory. */
  readonly directory: string;
  /** `log-key`: signs the checkpoints. */
  readonly key: KeyObject;
  /** A checkpoint is due after this many events, and after this time when there are any. */
  readonly checkpointEvents?: number;
  readonly checkpointMs?: number;
  /** Called with the number of the last event that is durable by now. Must not throw: it is called in the middle of an append. */
  readonly onDurable?: (lastSeq: number) => void;
  /** For the operator: a checkpoint could not be written. The next one is tried all the same. */
  readonly report: (problem: string) => void;
}

/** The record of the one process that writes it. */
export interface OpenRecord extends EventLog {
  /** Number of the last event that is durable. */
  lastSeq(): number;
  /** Ends with a checkpoint, and gives the log's lock back. */
  close(): Promise<void>;
  /** Signs what is on the record by now; with the key that comes next too, when the key is changed. */
  checkpoint(nextKey?: KeyObject): Promise<void>;
  /** For what else is written beside the log: makes room on a full disk, once. @returns whether it could */
  giveUpSpace(): boolean;
}

const defaultCheckpointEvents = 1000;
const defaultCheckpointMs = 30_000;

interface Found {
  readonly lastSeq: number;
  readonly permissions: Permissions;
  /** The segment that the last signed line is in. */
  readonly signedSegment: string;
}

const looseLine = z.looseObject({ event: z.looseObject({ type: z.string() }) });

/** A line that is damaged permits nothing. */
const decodeLoosely = (line: Buffer): LooseEvent | undefined => {
  try {
    return looseLine.safeParse(JSON.parse(line.toString("utf8"))).data?.event;
  } catch {
    return undefined;
  }
};

const permits = Buffer.from('"type":"log-');

/**
 * Reads the whole log, for its tree and for what is to be done after a crash.
 *
 * @throws EndpointError AuditUnavailable when it is not the one that was signed, or less of it is left than signed events say
 */
const readThrough = (directory: string, checkpointer: Checkpointer, takeLine: (line: Buffer) => void): Found => {
  const permissions = new Permissions();
  const pruned = new PrunedSegments();
  let lastSeq = 0;
  let signedSegment = "";
  for (const line of logLines(directory)) {
    const { content, seq, segment } = line;
    if (content.kind !== "pruned" && content.kind !== "line") continue;
    lastSeq = seq;
    if (seq <= checkpointer.signedSize) signedSegment = segment;
    pruned.take(line);
    if (content.kind === "pruned") {
      checkpointer.append(Buffer.from(content.leaf));
      continue;
    }
    checkpointer.append(leafHash(content.bytes));
    takeLine(content.bytes);
    if (!content.bytes.includes(permits)) continue;
    const found = decodeLoosely(content.bytes);
    if (found !== undefined) permissions.take(found, seq);
  }
  checkpointer.refuseShorterLog();
  const [problem] = pruned.problems(permissions.counted(checkpointer.signedSize));
  if (problem !== undefined) {
    throw new EndpointError(
      "AuditUnavailable",
      `In the log ${problem}. The endpoint does not go on with such a log; restore it, or keep it for the investigation and start with an empty audit directory.`,
    );
  }
  return { lastSeq, permissions, signedSegment };
};

/**
 * What a start says first where it found lines, or torn lines set aside, that no checkpoint covers.
 *
 * @param keptAs named by an event of its own in a moment
 */
const adopt = (
  directory: string,
  { tree, signedSize }: Checkpointer,
  { permissions, signedSegment }: Found,
  keptAs: string | undefined,
): AuditEvent | undefined => {
  const { keptTornFiles, goneTornFiles } = permissions.counted(signedSize);
  // A crash leaves one at the log's end only; one beside an older segment was put there, and pep audit verify says so.
  const tornFiles = readdirSync(directory).filter(
    (name) =>
      name.includes(".torn-at-") &&
      name >= signedSegment &&
      name !== keptAs &&
      !keptTornFiles.has(name) &&
      !goneTornFiles.has(name),
  );
  if (tree.size === signedSize && tornFiles.length === 0) return undefined;
  return {
    type: "log-adopted",
    from: signedSize + 1,
    to: tree.size,
    root: tree.root().toString("base64"),
    tornFiles,
  };
};

/**
 * Opens the record for writing: the log, checked against its newest checkpoint while the tree over it is made again, with
 * checkpoints from now on, and the sessions closed that a crash left open. A checkpoint is not made for each event: signing
 * needs two more fsyncs, and an event is durable without it.
 *
 * @throws EndpointError AuditUnavailable when the log is not the one its checkpoint was signed over
 */
export const openRecord = async (options: RecordOptions): Promise<OpenRecord> => {
  const { directory, report } = options;
  const everyEvents = options.checkpointEvents ?? defaultCheckpointEvents;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  let checkpointer: Checkpointer | undefined;
  const aborted = findAbortedSessions();
  const rescueSpace = rescueSpaceIn(directory);
  const giveUpSpace = (): boolean => {
    if (!rescueSpace.giveUp()) return false;
    report("the disk is full: the space kept for rescue was given up, so that what is under way can end on the record");
    return true;
  };
  let pending = false;
  let failing = false;
  let lastSeq = 0;

  const checkpoint = async (nextKey?: KeyObject): Promise<void> => {
    await checkpointer?.write(nextKey);
  };
  let say: (event: AuditEvent) => void = () => undefined;
  const sign = async (): Promise<void> => {
    try {
      await checkpoint();
      if (failing) say({ type: "checkpoint", state: "working" });
      failing = false;
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      report(`a checkpoint of the log could not be written, it is tried again: ${cause}`);
      // Once for an outage: each event is a reason for the next try.
      if (!failing) say({ type: "checkpoint", state: "failing", error: cause });
      failing = true;
    } finally {
      pending = false;
    }
  };
  const checkpointSoon = (): void => {
    if (pending) return;
    pending = true;
    void sign();
  };

  const log = await openEventLog({
    ...options,
    directory: join(directory, "log"),
    giveUpSpace,
    onOpened: (keptAs) => {
      // Under the log's lock: another process may have written a checkpoint until now.
      checkpointer = new Checkpointer({ ...options, giveUpSpace });
      const found = readThrough(join(directory, "log"), checkpointer, (line) => aborted.take(line));
      ({ lastSeq } = found);
      return adopt(join(directory, "log"), checkpointer, found, keptAs);
    },
    onWritten: (lines) => {
      const underCheckpoint = checkpointer?.take(lines);
      const { length } = lines;
      return () => {
        underCheckpoint?.();
        lastSeq += length;
        options.onDurable?.(lastSeq);
        if ((checkpointer?.unsigned ?? 0) >= everyEvents) checkpointSoon();
      };
    },
  });
  say = (event) => {
    log.append(event).catch(() => undefined); // the operator has read it
  };
  try {
    for (const event of aborted.removeUnbegun(join(directory, "transcripts"))) await log.append(event);
    for (const event of aborted.close(join(directory, "transcripts"))) await log.append(event);
    await checkpoint();
  } catch (error) {
    await log.close();
    throw error;
  }
  const timer = setInterval(checkpointSoon, options.checkpointMs ?? defaultCheckpointMs);
  timer.unref();
  return {
    async append(event) {
      await log.append(event);
      // What it permits is done next, and only a signed event permits anything.
      if (event.type === "log-pruned") await checkpoint();
    },
    lastSeq: () => lastSeq,
    checkpoint,
    giveUpSpace,
    async close() {
      clearInterval(timer);
      try {
        await log.finish();
        await checkpoint();
      } finally {
        await log.close();
      }
    },
  };
};
