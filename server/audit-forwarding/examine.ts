import { findSegments, linesOfSegment } from "../audit/log-lines.ts";
import { nameOf, type SyslogReceiver } from "./configuration.ts";
import { connectReceiver, defaultWaits, type Credentials } from "./connection.ts";
import { readCursor } from "./cursor.ts";
import { nameOfLog } from "./log-name.ts";

export interface ForwardingFinding {
  readonly passed: boolean;
  readonly finding: string;
}

const lastSeqOf = (directory: string): number => {
  const last = findSegments(directory).at(-1);
  if (last === undefined) return 0;
  let lastSeq = last.firstSeq - 1;
  for (const { seq, content } of linesOfSegment(directory, last)) if (content.kind !== "torn") lastSeq = seq;
  return lastSeq;
};

/** Up to which event the receiver is known to have the log; undefined when nothing was ever sent. */
export const findForwarded = (cursorPath: string, logDirectory: string): number | undefined => {
  const cursor = readCursor(cursorPath);
  if (cursor === undefined) return undefined;
  return cursor.log === nameOfLog(logDirectory) ? cursor.seq : 0;
};

/** How far the receiver is behind. Runs beside the server that sends. */
export const examineLag = (
  receiver: SyslogReceiver,
  paths: { readonly syslogCursor: string; readonly log: string },
): ForwardingFinding => {
  const last = lastSeqOf(paths.log);
  const forwarded = findForwarded(paths.syslogCursor, paths.log) ?? 0;
  const behind = last - forwarded;
  return {
    passed: behind <= receiver.warnAfterEvents,
    finding: `${nameOf(receiver)} is known to have events up to ${forwarded} of ${last}; ${behind} are on their way or wait in the log.`,
  };
};

/** Connects, and closes again: whether both sides accept each other's certificate. */
export const examineReceiver = async (
  receiver: SyslogReceiver,
  credentials: Credentials,
  signal: AbortSignal,
): Promise<ForwardingFinding> => {
  const name = nameOf(receiver);
  try {
    const waits = { ...defaultWaits, connectMs: 5000, closeMs: 5000 };
    const connection = await connectReceiver(receiver, credentials, waits, signal);
    await connection.closeCleanly();
    return { passed: true, finding: `${name} accepts our certificate, and its own is right.` };
  } catch (error) {
    return {
      passed: false,
      finding: `${name} can't be used: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
};
