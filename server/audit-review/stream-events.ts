import { stopped } from "../errors.ts";
import { decodeLine, textOf, type ReadLine } from "./decode-line.ts";
import type { LiveFeed } from "./live-feed.ts";
import { LogReader, type NumberedLine } from "../audit/log-reader.ts";
import type { EventQuery, ReviewedEvent } from "../command/review-port.ts";
import { clockMarginMs, segmentsSince } from "../audit/segments-since.ts";
import { same } from "./session-view.ts";

const own = new Set(["type", "connectedUser", "claimedUser", "localUser", "sessionId"]);

const userOf = (event: ReadLine["event"]): string =>
  textOf(event, "connectedUser") || textOf(event, "localUser") || textOf(event, "claimedUser");

const reviewed = ({ seq, at, event }: ReadLine): ReviewedEvent => ({
  seq,
  at,
  type: event.type,
  user: userOf(event),
  sessionId: textOf(event, "sessionId"),
  fields: Object.fromEntries(Object.entries(event).filter(([name]) => !own.has(name))),
});

/** Lines that can't match are not decoded: that is most of the work. */
const mayMatch = ({ sessionId, types }: EventQuery): ((bytes: Buffer) => boolean) => {
  const wanted = types?.map((type) => Buffer.from(`"type":"${type}"`));
  const session = sessionId === undefined ? undefined : Buffer.from(sessionId);
  return (bytes) =>
    (session === undefined || bytes.includes(session)) &&
    (wanted === undefined || wanted.some((type) => bytes.includes(type)));
};

const matches = ({ event, at }: ReadLine, { sessionId, types, user, since, until }: EventQuery): boolean =>
  (sessionId === undefined ||
    textOf(event, "sessionId") === sessionId ||
    textOf(event, "reviewedSessionId") === sessionId) &&
  (types === undefined || types.includes(event.type)) &&
  (user === undefined || same(userOf(event), user)) &&
  (since === undefined || Date.parse(at) >= since.getTime()) &&
  (until === undefined || Date.parse(at) < until.getTime());

/** Where reading begins: what -Since passes over, and without other filters also what -Last does. */
const firstSeqOf = (directory: string, query: EventQuery, throughSeq: number): number => {
  const [segment] = segmentsSince(directory, query.since);
  const { last, sessionId, types, user, since, until } = query;
  const unfiltered = [sessionId, types, user, since, until].every((filter) => filter === undefined);
  if (last !== undefined && unfiltered) return throughSeq - last + 1;
  return segment?.firstSeq ?? 1;
};

/** A log that is read while it is written. */
export interface ReviewedLog {
  readonly directory: string;
  /** The last durable event when the review began. */
  readonly throughSeq: number;
  readonly feed: Pick<LiveFeed, "lastSeq" | "waitBeyond">;
}

/**
 * Events that match, as the log has them, a block of it at a time; with `follow` also those to come. What is to come is read
 * from the log too, when the reader asks for more and the feed says that there is: a reader that is stuck holds nothing up and
 * piles nothing up, it only falls behind.
 */
export async function* streamEvents(
  { directory, throughSeq, feed }: ReviewedLog,
  query: EventQuery,
  signal: AbortSignal,
): AsyncGenerator<readonly ReviewedEvent[]> {
  const fits = mayMatch(query);
  const select = (lines: readonly NumberedLine[]): ReviewedEvent[] =>
    lines.flatMap(({ bytes }) => {
      const line = fits(bytes) ? decodeLine(bytes) : undefined;
      return line !== undefined && matches(line, query) ? [reviewed(line)] : [];
    });
  const hasPast = !query.follow || query.since !== undefined || query.last !== undefined;
  const reader = new LogReader(
    directory,
    hasPast ? firstSeqOf(directory, query, throughSeq) : throughSeq + 1,
    "passed over",
  );
  const endMs = (query.until?.getTime() ?? Infinity) + clockMarginMs;
  let left = query.first ?? Infinity;
  let held: ReviewedEvent[] = [];
  try {
    for (;;) {
      if (signal.aborted) throw stopped();
      const lines = await reader.read(throughSeq);
      if (lines.length === 0) break;
      const found = select(lines);
      if (query.last !== undefined) {
        held = [...held, ...found].slice(-query.last);
      } else if (found.length > 0) {
        yield found.slice(0, left);
        left -= found.length;
      }
      const reached = lines.at(-1);
      if (left <= 0) return;
      if (query.until !== undefined && reached !== undefined) {
        const at = decodeLine(reached.bytes)?.at;
        if (at !== undefined && Date.parse(at) >= endMs) break;
      }
    }
    if (held.length > 0) yield held;
    while (query.follow && (await feed.waitBeyond(reader.next - 1, signal))) {
      if (signal.aborted) throw stopped();
      const lines = await reader.read(feed.lastSeq);
      if (lines.length === 0) throw new Error("the log ends before its last durable event");
      const found = select(lines);
      if (found.length > 0) yield found;
    }
    if (signal.aborted) throw stopped();
  } finally {
    await reader.close();
  }
}
