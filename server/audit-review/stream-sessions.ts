import { findSegments, linesOfSegment, sessionIdIn, typeIn, type Segment } from "../audit/log-lines.ts";
import { clockMarginMs, segmentsSince } from "../audit/segments-since.ts";
import type { SessionQuery } from "../command/review-port.ts";
import { decodeLine } from "./decode-line.ts";
import { SessionsOnRecord, type SessionView } from "./session-view.ts";

const sessionsAtATime = 200;
const progressEvery = 10_000;

interface Crossing {
  /** Sessions that began in the segment and have no end in it. */
  readonly begun: ReadonlySet<string>;
  /** Those that end in it and began before. */
  readonly ended: ReadonlySet<string>;
  /** No session goes on over a start of the server. */
  readonly hasServerStart: boolean;
}

/** The sessions that one segment shares with those beside it. Of all others nothing is held. */
const crossingOf = (directory: string, segment: Segment): Crossing => {
  const begun = new Set<string>();
  const ended = new Set<string>();
  let hasServerStart = false;
  for (const { content } of linesOfSegment(directory, segment)) {
    if (content.kind !== "line") continue;
    const type = typeIn(content.bytes);
    if (type === "server-started") {
      hasServerStart = true;
      begun.clear();
    }
    if (type !== "session-started" && type !== "session-ended") continue;
    const sessionId = sessionIdIn(content.bytes);
    if (sessionId === undefined) continue;
    if (type === "session-started") begun.add(sessionId);
    else if (!begun.delete(sessionId)) ended.add(sessionId);
  }
  return { begun, ended, hasServerStart };
};

/**
 * The segments that have to be read for the sessions under way since then: also those before, back to where the first of them
 * began. Reading the whole log instead would take minutes for what a reviewer asks most.
 */
const segmentsOfSessionsSince = (directory: string, since: Date | undefined): readonly Segment[] => {
  const later = segmentsSince(directory, since);
  const all = findSegments(directory);
  const [firstLater] = later;
  let first = all.findIndex(({ name }) => name === firstLater?.name);
  const endedSince = new Set<string>();
  for (let index = first - 1; index >= 0; index -= 1) {
    const segment = all[index];
    if (segment === undefined || segment.pruned) break;
    const { begun, ended, hasServerStart } = crossingOf(directory, segment);
    if (!begun.isSubsetOf(endedSince)) first = index;
    if (hasServerStart) break;
    for (const sessionId of ended) endedSince.add(sessionId);
  }
  return all.slice(Math.max(first, 0));
};

/** The sessions that match, a few at a time, in the order in which they ended; those that still run come last. */
export const streamSessions = function* (
  directory: string,
  query: SessionQuery,
  throughSeq: number,
  onProgress: (seq: number) => void,
): Generator<readonly SessionView[]> {
  const sessions = new SessionsOnRecord(query, "number");
  const doneAfterMs = query.until === undefined ? Infinity : query.until.getTime() + clockMarginMs;
  reading: for (const segment of segmentsOfSessionsSince(directory, query.since)) {
    for (const { content, seq } of linesOfSegment(directory, segment)) {
      if (seq > throughSeq) break reading;
      if (seq % progressEvery === 0) onProgress(seq);
      if (content.kind !== "line") continue;
      // Lines that say nothing of a session are most of a busy log: not worth decoding.
      if (sessionIdIn(content.bytes) === undefined && typeIn(content.bytes) !== "server-started") continue;
      const line = decodeLine(content.bytes);
      if (line === undefined) continue;
      sessions.take(line);
      const done = sessions.takeDone(sessionsAtATime);
      if (done.length > 0) yield done;
      if (sessions.isIdle && Date.parse(line.at) >= doneAfterMs) break reading;
    }
  }
  sessions.endOfLog();
  const rest = sessions.takeDone(1);
  if (rest.length > 0) yield rest;
};
