import { createHash } from "node:crypto";
import { closeSync, constants, existsSync, fsyncSync, fstatSync, ftruncateSync, openSync, readdirSync } from "node:fs";
import { lstatSync, readSync, rmSync, writeSync } from "node:fs";
import { basename, join } from "node:path";
import { failures } from "../errors.ts";
import type { ClosedTranscript } from "./contract.ts";
import { ofRecord, readTextOfRecord } from "./open-of-record.ts";
import { recordedEvent, type AuditEvent } from "./event.ts";
import type { LooseEvent } from "./permissions.ts";

type Started = Extract<AuditEvent, { type: "session-started" }>;
type Removed = Extract<AuditEvent, { type: "transcript-removed" }>;
type Ended = Extract<AuditEvent, { type: "session-ended" }>;

/** A header has the terminal's name in it, which is the client's text, but clamped. */
const longestHeader = 4096;
const blockBytes = 64 * 1024;

/** As far as a look tells. */
const isHeader = (path: string): boolean => {
  const found = lstatSync(path);
  return found.isFile() && found.size <= longestHeader;
};

/** Whether it is what a crash leaves between a transcript's header and its session's start: nothing had been shown. */
export const isUnbegun = (path: string): boolean => isHeader(path) && !readTextOfRecord(path).trimEnd().includes("\n");

/** SHA-256 of a file, and what stands after its last newline. */
const readTranscript = (fd: number) => {
  const hash = createHash("sha256");
  const block = Buffer.alloc(blockBytes);
  let line = Buffer.alloc(0);
  let lastLine = "";
  let at = 0;
  for (;;) {
    const length = readSync(fd, block, 0, block.length, at);
    if (length === 0) break;
    at += length;
    const bytes = block.subarray(0, length);
    hash.update(bytes);
    line = Buffer.concat([line, bytes]);
    const end = line.lastIndexOf(10);
    if (end < 0) continue;
    lastLine = line.toString("utf8", line.lastIndexOf(10, end - 1) + 1, end);
    line = Buffer.from(line.subarray(end + 1));
  }
  return { transcriptDigest: hash.digest("hex"), transcriptBytes: at, lastLine, torn: line };
};

/**
 * Ends a transcript that a crash left open, as its session would have: with an exit event. A torn last line was never shown;
 * its bytes stay in the file as a comment, which players skip.
 *
 * @returns undefined when there is no such file
 */
const closeTranscript = (path: string): ClosedTranscript | undefined => {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDWR | ofRecord);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const { torn, lastLine, ...closed } = readTranscript(fd);
    // Closed, but its end did not reach the log.
    if (torn.length === 0 && /^\[[\d.]+,\s*"x"/.test(lastLine)) return closed;
    const wholeBytes = fstatSync(fd).size - torn.length;
    const kept = torn.length === 0 ? "" : `# ${torn.length} bytes of an unfinished line: ${torn.toString("base64")}\n`;
    // A first line that is torn is no header, and a file must begin with one.
    const header = wholeBytes === 0 ? `{"version":3,"term":{"cols":80,"rows":24}}\n` : "";
    const ending = `${header}${kept}[0,"m","aborted: the server stopped"]\n[0,"x","${failures.InvalidResult.exitStatus}"]\n`;
    ftruncateSync(fd, wholeBytes);
    writeSync(fd, ending, wholeBytes);
    fsyncSync(fd);
    const { transcriptDigest, transcriptBytes } = readTranscript(fd);
    return { transcriptDigest, transcriptBytes };
  } finally {
    closeSync(fd);
  }
};

/** Finds, line by line of the log, the sessions that were started and never ended: the server that had them is gone. */
export const findAbortedSessions = () => {
  const open = new Map<string, Started>();
  let stoppedCleanly = true;
  return {
    /** @param event what is in it, where somebody had to decode it: that of a session always */
    take(line: Buffer, event: LooseEvent | undefined): void {
      stoppedCleanly = line.includes('"type":"server-stopped"');
      if (typeof event?.["sessionId"] !== "string") return;
      const { type, sessionId } = event;
      if (type === "session-ended") open.delete(sessionId);
      if (type !== "session-started") return;
      const whole = recordedEvent.safeParse(JSON.parse(line.toString("utf8")));
      if (whole.success && whole.data.event.type === "session-started") open.set(sessionId, whole.data.event);
    },
    /**
     * A crash between a transcript's header and its session's start on the record leaves a file that no event names, and that
     * looks as if somebody had put it there. Nothing was shown before that start, so the header is all that is in it.
     */
    *removeUnbegun(transcripts: string): Generator<Removed> {
      if (stoppedCleanly || !existsSync(transcripts)) return;
      const begun = new Set([...open.values()].map(({ transcript }) => transcript));
      for (const name of readdirSync(transcripts)) {
        const path = join(transcripts, name);
        if (begun.has(name) || !name.endsWith(".cast") || !isUnbegun(path)) continue;
        const { size } = lstatSync(path);
        rmSync(path);
        yield { type: "transcript-removed", transcript: name, bytes: size };
      }
    },
    /** Closes their transcripts, and makes the events that say so. */
    *close(transcripts: string): Generator<Ended> {
      for (const { type: _, mode: __, transcript, ...origin } of open.values()) {
        const closed = transcript === undefined ? undefined : closeTranscript(join(transcripts, basename(transcript)));
        const missing = transcript !== undefined && closed === undefined;
        yield {
          type: "session-ended",
          ...origin,
          exitStatus: failures.InvalidResult.exitStatus,
          ...closed,
          reason: missing ? "aborted: the server stopped; its transcript is gone" : "aborted: the server stopped",
        };
      }
    },
  };
};
