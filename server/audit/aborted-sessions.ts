import { lstatSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { failures } from "../errors.ts";
import { closeTranscript } from "./close-transcript.ts";
import { readTextOfRecord } from "./open-of-record.ts";
import { auditEvent, type AuditEvent } from "./event.ts";
import type { LooseEvent } from "./permissions.ts";

type Started = Extract<AuditEvent, { type: "session-started" }>;
type Removed = Extract<AuditEvent, { type: "transcript-removed" }>;
type Ended = Extract<AuditEvent, { type: "session-ended" }>;

/** A header has the terminal's name in it, which is the client's text, but clamped. */
const longestHeader = 4096;

/** As far as a look tells. */
const isHeader = (path: string): boolean => {
  const found = lstatSync(path);
  return found.isFile() && found.size <= longestHeader;
};

/** Whether it is what a crash leaves between a transcript's header and its session's start: nothing had been shown. */
export const isUnbegun = (path: string): boolean => isHeader(path) && !readTextOfRecord(path).trimEnd().includes("\n");

/** Those that are events of ours. */
const startedOf = (open: ReadonlyMap<string, LooseEvent>): Started[] =>
  [...open.values()].flatMap((event) => {
    const { data } = auditEvent.safeParse(event);
    return data?.type === "session-started" ? [data] : [];
  });

/** Finds, line by line of the log, the sessions that were started and never ended: the server that had them is gone. */
export const findAbortedSessions = () => {
  const open = new Map<string, LooseEvent>();
  let stoppedCleanly = true;
  return {
    /** @param event what is in it, where somebody had to decode it: that of a session always */
    take(line: Buffer, event: LooseEvent | undefined): void {
      stoppedCleanly = line.includes('"type":"server-stopped"');
      if (event !== undefined) this.takeEvent(event);
    },
    takeEvent(event: LooseEvent): void {
      if (typeof event["sessionId"] !== "string") return;
      const { type, sessionId } = event;
      if (type === "session-ended") open.delete(sessionId);
      if (type === "session-started") open.set(sessionId, event);
    },
    /**
     * A crash between a transcript's header and its session's start on the record leaves a file that no event names, and that
     * looks as if somebody had put it there. Nothing was shown before that start, so the header is all that is in it.
     *
     * @param unnamed those that no event names
     */
    *removeUnbegun(transcripts: string, unnamed: Iterable<string>): Generator<Removed> {
      if (stoppedCleanly) return;
      for (const name of unnamed) {
        const path = join(transcripts, name);
        if (!name.endsWith(".cast") || !isUnbegun(path)) continue;
        const { size } = lstatSync(path);
        rmSync(path);
        yield { type: "transcript-removed", transcript: name, bytes: size };
      }
    },
    /** Closes their transcripts, and makes the events that say so. */
    async *close(transcripts: string, stop: AbortSignal | undefined): AsyncGenerator<Ended> {
      for (const { type: _, mode: __, transcript, ...origin } of startedOf(open)) {
        const closing =
          transcript === undefined ? undefined : await closeTranscript(join(transcripts, basename(transcript)), stop);
        const ended = { type: "session-ended", ...origin, exitStatus: failures.InvalidResult.exitStatus } as const;
        const reason = "aborted: the server stopped";
        if (closing === undefined) yield { ...ended, reason };
        else if ("why" in closing) yield { ...ended, reason: `${reason}; its transcript ${closing.why}` };
        else yield { ...ended, ...closing, reason };
      }
    },
  };
};
