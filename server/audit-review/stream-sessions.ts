import { linesOfSegment } from "../audit/log-lines.ts";
import { decodeLine, textOf, type ReadEvent, type ReadLine } from "./decode-line.ts";
import type { ReviewedSession, SessionOutcome, SessionQuery } from "../command/review-port.ts";
import { clockMarginMs, segmentsSince } from "../audit/segments-since.ts";
import { disclosedIn, same } from "./sessions.ts";

/** A session under way: what it has done so far, and what of it was asked for. */
interface Open {
  readonly started: ReadLine;
  commands: number;
  refusals: number;
  keys: number;
  readonly keysByDay: Map<string, number>;
  readonly outcomes: Set<SessionOutcome>;
  ranCommand: boolean;
  showedKey: boolean;
  showedComputer: boolean;
}

const sessionsAtATime = 200;
const progressEvery = 10_000;

const outcomeOf: Readonly<Record<string, SessionOutcome>> = {
  succeeded: "Succeeded",
  failed: "Failed",
  stopped: "Stopped",
};

const follow = (session: Open, { event, at }: ReadLine, query: SessionQuery): void => {
  switch (event.type) {
    case "command-started":
      session.commands += 1;
      session.ranCommand ||= same(textOf(event, "command"), query.command ?? "");
      break;
    case "command-refused":
      session.refusals += 1;
      session.outcomes.add("Refused");
      break;
    case "command-finished": {
      const outcome = outcomeOf[textOf(event, "outcome")];
      if (outcome !== undefined) session.outcomes.add(outcome);
      break;
    }
    case "disclosure": {
      const keys = disclosedIn(event);
      const day = at.slice(0, 10);
      session.keys += keys.length;
      session.keysByDay.set(day, (session.keysByDay.get(day) ?? 0) + keys.length);
      const prefix = query.keyId?.toLowerCase();
      session.showedKey ||= prefix !== undefined && keys.some(({ keyId }) => keyId.toLowerCase().startsWith(prefix));
      session.showedComputer ||= keys.some(({ computerName }) => same(computerName, query.computerName ?? ""));
    }
  }
};

const startedWithin = ({ event, at }: ReadLine, { user, since, until }: SessionQuery): boolean =>
  (user === undefined || same(textOf(event, "connectedUser"), user)) &&
  (since === undefined || Date.parse(at) >= since.getTime()) &&
  (until === undefined || Date.parse(at) < until.getTime());

const matches = (session: Open, query: SessionQuery): boolean =>
  (query.command === undefined || session.ranCommand) &&
  (query.keyId === undefined || session.showedKey) &&
  (query.computerName === undefined || session.showedComputer) &&
  (query.outcomes?.some((outcome) => session.outcomes.has(outcome)) ?? true);

const reviewed = (session: Open, ended: ReadLine | undefined, ending: string): ReviewedSession => {
  const { event, at } = session.started;
  const exitStatus = ended?.event["exitStatus"];
  return {
    sessionId: textOf(event, "sessionId"),
    connectedUser: textOf(event, "connectedUser"),
    clientAddress: textOf(event, "clientAddress"),
    mode: textOf(event, "mode"),
    startedAt: at,
    endedAt: ended?.at,
    exitStatus: typeof exitStatus === "number" ? exitStatus : undefined,
    ending,
    commands: session.commands,
    refusals: session.refusals,
    keys: session.keys,
    keysByDay: [...session.keysByDay],
  };
};

/** Sessions as their ends are read: only those under way are held, however long the log is. */
class SessionStream {
  readonly #query: SessionQuery;
  readonly #open = new Map<string, Open>();
  readonly #done: ReviewedSession[] = [];

  constructor(query: SessionQuery) {
    this.#query = query;
  }

  get isIdle(): boolean {
    return this.#open.size === 0;
  }

  take(line: ReadLine): void {
    const { event } = line;
    // What was under way when a server was killed has no end of its own.
    if (event.type === "server-started") this.#endAll("Aborted", "no end on the record: the server was killed");
    const sessionId = textOf(event, "sessionId");
    if (event.type === "session-started") {
      if (startedWithin(line, this.#query)) this.#open.set(sessionId, this.#begin(line));
      return;
    }
    const session = this.#open.get(sessionId);
    if (session === undefined) return;
    if (event.type === "session-ended") this.#end(session, line, event);
    else follow(session, line, this.#query);
  }

  /** The log is read to its end: what is left runs. */
  endOfLog(): void {
    this.#endAll("Running", "running");
  }

  takeDone(atLeast: number): readonly ReviewedSession[] {
    return this.#done.length < atLeast ? [] : this.#done.splice(0);
  }

  #begin(started: ReadLine): Open {
    return {
      started,
      commands: 0,
      refusals: 0,
      keys: 0,
      keysByDay: new Map(),
      outcomes: new Set(),
      ranCommand: false,
      showedKey: false,
      showedComputer: false,
    };
  }

  #end(session: Open, line: ReadLine, event: ReadEvent): void {
    const reason = textOf(event, "reason");
    if (reason.startsWith("aborted")) session.outcomes.add("Aborted");
    this.#open.delete(textOf(event, "sessionId"));
    if (matches(session, this.#query)) this.#done.push(reviewed(session, line, reason));
  }

  #endAll(outcome: SessionOutcome, ending: string): void {
    for (const session of this.#open.values()) {
      session.outcomes.add(outcome);
      if (matches(session, this.#query)) this.#done.push(reviewed(session, undefined, ending));
    }
    this.#open.clear();
  }
}

/** Line types that say nothing of a session are most of a busy log; they are not even decoded. */
const ofInterest = Buffer.from('"sessionId":"');
const serverStarted = Buffer.from('"type":"server-started"');

/** The sessions that match, a few at a time, in the order in which they ended; those that still run come last. */
export const streamSessions = function* (
  directory: string,
  query: SessionQuery,
  throughSeq: number,
  onProgress: (seq: number) => void,
): Generator<readonly ReviewedSession[]> {
  const stream = new SessionStream(query);
  const doneAfterMs = query.until === undefined ? Infinity : query.until.getTime() + clockMarginMs;
  reading: for (const segment of segmentsSince(directory, query.since)) {
    for (const { content, seq } of linesOfSegment(directory, segment)) {
      if (seq > throughSeq) break reading;
      if (seq % progressEvery === 0) onProgress(seq);
      if (content.kind !== "line") continue;
      if (!content.bytes.includes(ofInterest) && !content.bytes.includes(serverStarted)) continue;
      const line = decodeLine(content.bytes);
      if (line === undefined) continue;
      stream.take(line);
      const done = stream.takeDone(sessionsAtATime);
      if (done.length > 0) yield done;
      if (stream.isIdle && Date.parse(line.at) >= doneAfterMs) break reading;
    }
  }
  stream.endOfLog();
  const rest = stream.takeDone(1);
  if (rest.length > 0) yield rest;
};
