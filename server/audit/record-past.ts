import { findAbortedSessions } from "./aborted-sessions.ts";
import { Collections } from "./collections.ts";
import { EarlierVerifications } from "./earlier-verifications.ts";
import { typeIn } from "./log-lines.ts";
import { Permissions, type LooseEvent } from "./permissions.ts";
import { SiteStates } from "./site-states.ts";
import type { Summary } from "./summary.ts";
import { TranscriptsOnDisk } from "./transcripts-on-disk.ts";

/** Few lines are worth decoding; decoding them all would triple the time of a start. */
const worthDecoding = /^(?:session-started|session-ended|loss-accepted|(?:log|site|record)-)/;

/** A line that is damaged, or not as we write it, permits nothing. */
const decodeLoosely = (line: Buffer): LooseEvent | undefined => {
  try {
    const decoded: unknown = JSON.parse(line.toString("utf8"));
    const event = typeof decoded === "object" && decoded !== null && "event" in decoded ? decoded.event : undefined;
    if (typeof event !== "object" || event === null || !("type" in event)) return undefined;
    const { type } = event;
    return typeof type === "string" ? { ...event, type } : undefined;
  } catch {
    return undefined;
  }
};

/** Of a session, only the start is remembered, until it ends. */
const isKept = ({ type }: LooseEvent): boolean => /^(?:log|loss|site|record)-/.test(type);

/** What is remembered of the lines of a log, read one after the other, or taken from a summary of those before. */
export class RecordPast {
  readonly permissions = new Permissions();
  readonly siteStates = new SiteStates();
  readonly collections = new Collections();
  readonly verifications = new EarlierVerifications();
  readonly aborted = findAbortedSessions();
  readonly transcripts: TranscriptsOnDisk;
  readonly #kept: Summary["events"] = [];
  readonly #started = new Map<unknown, Summary["events"][number]>();
  readonly #ended: Summary["transcripts"] = [];

  /** @param transcripts the folder that they lie in */
  constructor(transcripts: string) {
    this.transcripts = new TranscriptsOnDisk(transcripts);
  }

  /** @returns the event, where it is one to be remembered */
  takeLine(line: Buffer, seq: number): LooseEvent | undefined {
    const event = worthDecoding.test(typeIn(line) ?? "") ? decodeLoosely(line) : undefined;
    this.aborted.take(line, event);
    if (event !== undefined) this.#take(event, seq);
    return event;
  }

  /** @param isGone whether that event is pruned by now, so that nobody can read it again */
  takeSummary({ events, transcripts }: Summary, isGone: (seq: number) => boolean): void {
    for (const [seq, event] of events) {
      if (isGone(seq)) continue;
      this.aborted.takeEvent(event);
      this.#take(event, seq);
    }
    for (const ended of transcripts) {
      const [seq, name, digest, bytes] = ended;
      if (isGone(seq)) continue;
      this.transcripts.takeEnded({ name, digest, bytes: bytes ?? undefined });
      this.#ended.push(ended);
    }
  }

  /** For a summary: what was taken until now. */
  remembered(): Pick<Summary, "events" | "transcripts"> {
    const events = [...this.#kept, ...this.#started.values()].toSorted(([one], [other]) => one - other);
    return { events, transcripts: [...this.#ended] };
  }

  #take(event: LooseEvent, seq: number): void {
    this.permissions.take(event, seq);
    this.siteStates.take(event, seq);
    this.collections.take(event, seq);
    this.verifications.take(event, seq);
    const ended = this.transcripts.take(event);
    if (ended !== undefined) this.#ended.push([seq, ended.name, ended.digest, ended.bytes ?? null]);
    const { sessionId } = event;
    if (event.type === "session-started") this.#started.set(sessionId, [seq, event]);
    else if (event.type === "session-ended") this.#started.delete(sessionId);
    if (isKept(event)) this.#kept.push([seq, event]);
  }
}
