import type { ReviewedSession, SessionEnding, SessionOutcome, SessionQuery } from "../command/review-port.ts";
import { disclosedIn, numberOf, textOf, type DisclosedKey, type ReadLine } from "./decode-line.ts";

export const same = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

const outcomeOf: Readonly<Record<string, SessionOutcome>> = {
  succeeded: "Succeeded",
  failed: "Failed",
  stopped: "Stopped",
};

/** What is kept of the keys that a session was shown: their number alone, or each of them, which may be a hundred thousand. */
export type KeptKeys = "number" | "each";

/** One session on the record, as its events tell it, taken one after the other. */
export class SessionView {
  readonly started: ReadLine;
  /** Which one it is of those that were read, by their start. */
  readonly place: number;
  readonly commandNames = new Set<string>();
  /** Empty unless each is kept. */
  readonly disclosed: DisclosedKey[] = [];
  readonly keysByDay = new Map<string, number>();
  ending: SessionEnding = "Running";
  commands = 0;
  refusals = 0;
  keys = 0;
  readonly #query: SessionQuery;
  readonly #keptKeys: KeptKeys;
  readonly #outcomes = new Set<SessionOutcome>();
  #ended: ReadLine | undefined;
  #goneByMs = Number.POSITIVE_INFINITY;
  #showedKey = false;
  #showedComputer = false;

  constructor(started: ReadLine, place: number, query: SessionQuery, keptKeys: KeptKeys) {
    this.started = started;
    this.place = place;
    this.#query = query;
    this.#keptKeys = keptKeys;
  }

  get sessionId(): string {
    return textOf(this.started.event, "sessionId");
  }

  /** @param line of this session, or that a server was started: no session goes on over that */
  take(line: ReadLine): void {
    const { event } = line;
    switch (event.type) {
      case "command-started":
        this.commands += 1;
        this.commandNames.add(textOf(event, "command"));
        break;
      case "command-refused":
        this.refusals += 1;
        this.#outcomes.add("Refused");
        break;
      case "command-finished": {
        const outcome = outcomeOf[textOf(event, "outcome")];
        if (outcome !== undefined) this.#outcomes.add(outcome);
        break;
      }
      case "disclosure":
        this.#disclose(line);
        break;
      case "session-ended":
        this.#ended = line;
        this.#end(textOf(event, "reason").startsWith("aborted") ? "Aborted" : "Ended", line);
        break;
      case "server-started":
        this.#end("Aborted", line);
    }
  }

  /** Whether it is one that the query asks for; tells of one under way only once the log is read to its end. */
  get matches(): boolean {
    const { since, command, keyId, computerName, outcomes } = this.#query;
    return (
      (since === undefined || this.#goneByMs >= since.getTime()) &&
      (command === undefined || [...this.commandNames].some((name) => same(name, command))) &&
      (keyId === undefined || this.#showedKey) &&
      (computerName === undefined || this.#showedComputer) &&
      (outcomes?.some((outcome) => outcome === this.ending || this.#outcomes.has(outcome)) ?? true)
    );
  }

  reviewed(): ReviewedSession {
    const { event, at } = this.started;
    const ended = this.#ended;
    const killed = this.ending === "Aborted" ? "no end on the record: the server was killed" : "";
    return {
      place: this.place,
      sessionId: this.sessionId,
      connectedUser: textOf(event, "connectedUser"),
      clientAddress: textOf(event, "clientAddress"),
      mode: textOf(event, "mode"),
      startedAt: at,
      endedAt: ended?.at,
      exitStatus: ended === undefined ? undefined : numberOf(ended.event, "exitStatus"),
      ending: this.ending,
      reason: ended === undefined ? killed : textOf(ended.event, "reason"),
      commands: this.commands,
      refusals: this.refusals,
      keys: this.keys,
      keysByDay: [...this.keysByDay],
    };
  }

  #end(ending: SessionEnding, { at }: ReadLine): void {
    this.ending = ending;
    this.#goneByMs = Date.parse(at);
  }

  #disclose({ event, at }: ReadLine): void {
    const keys = disclosedIn(event);
    const day = at.slice(0, 10);
    this.keys += keys.length;
    this.keysByDay.set(day, (this.keysByDay.get(day) ?? 0) + keys.length);
    const prefix = this.#query.keyId?.toLowerCase();
    const { computerName: wanted } = this.#query;
    this.#showedKey ||= prefix !== undefined && keys.some(({ keyId }) => keyId.toLowerCase().startsWith(prefix));
    this.#showedComputer ||= wanted !== undefined && keys.some(({ computerName }) => same(computerName, wanted));
    if (this.#keptKeys === "each") for (const key of keys) this.disclosed.push(key);
  }
}

/** Whether its beginning excludes it already: what does is not held at all. */
const mayMatch = ({ event, at }: ReadLine, { user, until }: SessionQuery): boolean =>
  (user === undefined || same(textOf(event, "connectedUser"), user)) &&
  (until === undefined || Date.parse(at) < until.getTime());

/** The sessions of a log that match, each once its end is read: only those under way are held, however long the log is. */
export class SessionsOnRecord {
  readonly #query: SessionQuery;
  readonly #keptKeys: KeptKeys;
  readonly #open = new Map<string, SessionView>();
  readonly #done: SessionView[] = [];
  #places = 0;

  constructor(query: SessionQuery, keptKeys: KeptKeys) {
    this.#query = query;
    this.#keptKeys = keptKeys;
  }

  get isIdle(): boolean {
    return this.#open.size === 0;
  }

  take(line: ReadLine): void {
    const { type } = line.event;
    if (type === "server-started") this.#endAll(line);
    const sessionId = textOf(line.event, "sessionId");
    // Of no session. A start without an id, in a damaged log, would take all of these for its own.
    if (sessionId === "") return;
    if (type === "session-started") {
      if (!mayMatch(line, this.#query)) return;
      this.#open.set(sessionId, new SessionView(line, (this.#places += 1), this.#query, this.#keptKeys));
      return;
    }
    const session = this.#open.get(sessionId);
    if (session === undefined) return;
    session.take(line);
    if (type !== "session-ended") return;
    this.#open.delete(sessionId);
    this.#finish(session);
  }

  /** The log is read to its end: what is left runs, as far as the record tells. */
  endOfLog(): void {
    for (const session of this.#open.values()) this.#finish(session);
    this.#open.clear();
  }

  takeDone(atLeast: number): readonly SessionView[] {
    return this.#done.length < atLeast ? [] : this.#done.splice(0);
  }

  /** What was under way when a server was killed has no end of its own. */
  #endAll(serverStarted: ReadLine): void {
    for (const session of this.#open.values()) session.take(serverStarted);
    this.endOfLog();
  }

  #finish(session: SessionView): void {
    if (session.matches) this.#done.push(session);
  }
}
