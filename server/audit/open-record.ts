import type { KeyObject } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { lossEvents, refuseLoss } from "./accept-loss.ts";
import { collectionIn, type Collection } from "./collections.ts";
import { Checkpointer } from "./checkpointer.ts";
import type { AuditEvent, EventLog } from "./event.ts";
import { openEventLog, type EventLogOptions } from "./event-log.ts";
import { adopt, readThrough, type Found } from "./read-through.ts";
import type { RecordLoss } from "./record-loss.ts";
import { rescueSpaceIn } from "./rescue-space.ts";
import type { RecentBefore } from "./read-recent-log.ts";
import type { SiteState } from "./site-events.ts";
import { newerState, siteStateIn } from "./site-states.ts";
import type { Runtime } from "../runtime.ts";

export interface RecordOptions extends Omit<
  EventLogOptions,
  "directory" | "runtime" | "onOpened" | "onWritten" | "giveUpSpace"
> {
  /** `audit/` of a data directory. */
  readonly directory: string;
  /** `log-key`: signs the checkpoints. */
  readonly key: KeyObject;
  /** A checkpoint is due after this many events, and after this time when there are any. */
  readonly checkpointEvents?: number;
  readonly checkpointMs?: number;
  /** A loss that an administrator accepts; with any other the record is refused. */
  readonly acceptLoss?: { readonly loss: RecordLoss; readonly localUser: string };
  /** Gives up the opening; what is open already stays so. */
  readonly stop?: AbortSignal;
  /** Called with the number of the last event that is durable by now. Must not throw: it is called in the middle of an append. */
  readonly onDurable?: (lastSeq: number) => void;
  /** The operator is told where a checkpoint could not be written. The next one is tried all the same. */
  readonly runtime: Runtime;
}

/** The record of the one process that writes it. */
export interface OpenRecord extends EventLog {
  /** Number of the last event that is durable. */
  lastSeq(): number;
  /** What the record says of the site database's rows: the newest state that is signed. */
  siteState(): SiteState | undefined;
  /** The last collection of every key. */
  collection(): Collection | undefined;
  /** What a verification of an earlier run found wrong, in words, and none found gone. */
  readonly foundBefore: readonly string[];
  /** What a summary says of the log's beginning, which was not read then. */
  readonly recentBefore: RecentBefore | undefined;
  /** Ends with a checkpoint, and gives the log's lock back. */
  close(): Promise<void>;
  /** Signs what is on the record by now; with the key that comes next too, when the key is changed. */
  checkpoint(nextKey?: KeyObject): Promise<void>;
  /** For what else is written beside the log: makes room on a full disk, once. @returns whether it could */
  giveUpSpace(): boolean;
}

const defaultCheckpointEvents = 1000;
const defaultCheckpointMs = 30_000;

/**
 * What they permit is done next, and only a signed event permits anything. Without a checkpoint, an
 * attacker could cut the line of a site database's state off and restore the older rows.
 */
const countsOnceSigned =
  /^(?:log-pruned|log-summarized|record-verification|site-written|site-restore-accepted|site-collected)$/;

/** What the record says of the site database by now. */
class SaidOfSite {
  state: SiteState | undefined;
  collection: Collection | undefined;

  begin({ siteState, collection }: Found): void {
    this.state = siteState;
    this.collection = collection;
  }

  take(event: AuditEvent): void {
    const state = siteStateIn(event);
    if (state !== undefined) this.state = newerState(state, this.state);
    const collected = collectionIn(event);
    if (collected !== undefined) this.collection = collected ?? undefined;
  }
}

/** @returns what makes room on a full disk, once, and tells the operator */
const rescuing = (directory: string, report: (problem: string) => void): (() => boolean) => {
  const rescueSpace = rescueSpaceIn(directory);
  return () => {
    if (!rescueSpace.giveUp()) return false;
    report("the disk is full: the space kept for rescue was given up, so that what is under way can end on the record");
    return true;
  };
};

/**
 * Signs when it is due, one checkpoint at a time.
 *
 * @param say puts on the record, once an outage, that signing fails or works again
 */
const signingSoon = (
  checkpoint: () => Promise<void>,
  say: (event: AuditEvent) => void,
  report: (problem: string) => void,
): (() => void) => {
  let pending = false;
  let failing = false;
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
  return () => {
    if (pending) return;
    pending = true;
    void sign();
  };
};

/** Ends on the record what a crash left open: sessions, and transcripts of sessions that never began. */
const endWhatACrashLeft = async (
  log: Pick<EventLog, "append">,
  { aborted, unnamed }: Found,
  transcripts: string,
  stop: AbortSignal | undefined,
): Promise<void> => {
  for (const event of aborted.removeUnbegun(transcripts, unnamed)) await log.append(event);
  for await (const event of aborted.close(transcripts, stop)) await log.append(event);
};

/**
 * Opens the record for writing: the log, checked against its newest checkpoint while the tree over it is made again, with
 * checkpoints from now on, and the sessions closed that a crash left open. A checkpoint is not made for each event: signing
 * needs two more fsyncs, and an event is durable without it.
 *
 * @throws EndpointError AuditUnavailable when the log is not the one its checkpoint was signed over
 */
export const openRecord = async (options: RecordOptions): Promise<OpenRecord> => {
  const { directory } = options;
  const { report } = options.runtime;
  const everyEvents = options.checkpointEvents ?? defaultCheckpointEvents;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  let checkpointer: Checkpointer | undefined;
  let found: Found | undefined;
  const giveUpSpace = rescuing(directory, report);
  let lastSeq = 0;
  const said = new SaidOfSite();

  const checkpoint = async (nextKey?: KeyObject): Promise<void> => {
    await checkpointer?.write(nextKey);
  };
  let say: (event: AuditEvent) => void = () => undefined;
  const checkpointSoon = signingSoon(checkpoint, (event) => say(event), report);

  const log = await openEventLog({
    ...options,
    directory: join(directory, "log"),
    giveUpSpace,
    onOpened: async (keptAs) => {
      // Under the log's lock: another process may have written a checkpoint until now.
      checkpointer = new Checkpointer({ ...options, giveUpSpace });
      found = await readThrough(directory, checkpointer, options.stop);
      ({ lastSeq } = found);
      said.begin(found);
      refuseLoss(found.loss, options.acceptLoss?.loss);
      return [
        ...adopt(join(directory, "log"), checkpointer, found, keptAs),
        ...(options.acceptLoss === undefined ? [] : lossEvents(found.loss, options.acceptLoss.localUser)),
      ];
    },
    seal: (before, last) => checkpointer?.seal(before, last) ?? last,
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
    if (found !== undefined) await endWhatACrashLeft(log, found, join(directory, "transcripts"), options.stop);
    await checkpoint();
  } catch (error) {
    await log.close();
    throw error;
  }
  const timer = setInterval(checkpointSoon, options.checkpointMs ?? defaultCheckpointMs).unref();
  return {
    async append(event) {
      await log.append(event);
      if (countsOnceSigned.test(event.type)) await checkpoint();
      said.take(event);
    },
    lastSeq: () => lastSeq,
    siteState: () => said.state,
    collection: () => said.collection,
    foundBefore: found?.foundBefore ?? [],
    recentBefore: found?.recentBefore,
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
