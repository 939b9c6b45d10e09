import { textOf, type ReadEvent, type ReadLine } from "../decode-line.ts";
import type { SessionSummary } from "../sessions.ts";
import type { IndexContent, SessionRow } from "./index-content.ts";

const dayMs = 86_400_000;

/** Words by number, each once. */
class Words {
  readonly #numbers = new Map<string, number>();

  numberOf(word: string): number {
    const known = this.#numbers.get(word);
    if (known !== undefined) return known;
    this.#numbers.set(word, this.#numbers.size);
    return this.#numbers.size - 1;
  }

  get all(): string[] {
    return [...this.#numbers.keys()];
  }
}

interface Collected {
  readonly commands: Set<string>;
  readonly keyIds: string[];
  readonly computers: string[];
  readonly disclosedByDay: Map<number, number>;
  transcript: string;
  lastPlace: number;
}

/** Where a session's page is to be found and when its last event has been read. */
export interface SessionPlace {
  readonly summary: SessionSummary;
  readonly page: string;
  readonly transcript: string;
  /** Of its last event, among the readable lines. */
  readonly lastPlace: number;
}

export const disclosedKeys = (event: ReadEvent): { readonly keyId: string; readonly computerName: string }[] => {
  const keys = event["keys"];
  if (!Array.isArray(keys)) return [];
  return keys.map((key: unknown) => {
    const { keyId, computerName } = Object(key) as { keyId?: unknown; computerName?: unknown }; // of a log that may be damaged
    return { keyId: String(keyId), computerName: String(computerName) };
  });
};

/** Events that are about a session without being of it would keep its page open to the end of the log. */
export const isOfSession = ({ event }: ReadLine): boolean => event.type !== "review";

/** A name that can't leave the folder, whatever a damaged log calls its session. */
const pageOf = (sessionId: string, place: number): string =>
  /^[A-Za-z0-9-]{1,64}$/.test(sessionId) ? `${sessionId}.html` : `session-${place}.html`;

/** Gathers, in the first reading of the log, what the index shows of each session. */
export class Collector {
  readonly #sessions = new Map<string, Collected>();

  take(line: ReadLine, place: number): void {
    const { event, at } = line;
    const sessionId = textOf(event, "sessionId");
    if (sessionId === "" || !isOfSession(line)) return;
    let session = this.#sessions.get(sessionId);
    if (session === undefined) {
      session = {
        commands: new Set(),
        keyIds: [],
        computers: [],
        disclosedByDay: new Map(),
        transcript: "",
        lastPlace: place,
      };
      this.#sessions.set(sessionId, session);
    }
    session.lastPlace = place;
    if (event.type === "session-started") session.transcript = textOf(event, "transcript");
    if (event.type === "command-started") session.commands.add(textOf(event, "command"));
    if (event.type !== "disclosure") return;
    const keys = disclosedKeys(event);
    for (const { keyId, computerName } of keys) {
      session.keyIds.push(keyId);
      session.computers.push(computerName);
    }
    const day = Math.floor(Date.parse(at) / dayMs);
    session.disclosedByDay.set(day, (session.disclosedByDay.get(day) ?? 0) + keys.length);
  }

  /** For the sessions that are wanted; forgets the others. */
  finish(summaries: readonly SessionSummary[]): { readonly places: SessionPlace[]; readonly content: IndexContent } {
    const [users, clients, commands, computers, endings] = [
      new Words(),
      new Words(),
      new Words(),
      new Words(),
      new Words(),
    ];
    const places: SessionPlace[] = [];
    const sessions = summaries.flatMap((summary, place): SessionRow[] => {
      const found = this.#sessions.get(summary.sessionId);
      if (found === undefined) return [];
      const page = pageOf(summary.sessionId, place + 1);
      places.push({ summary, page, transcript: found.transcript, lastPlace: found.lastPlace });
      return [
        [
          summary.sessionId,
          page,
          Date.parse(summary.startedAt),
          summary.endedAt === undefined ? null : Date.parse(summary.endedAt),
          users.numberOf(summary.connectedUser),
          clients.numberOf(summary.clientAddress),
          summary.mode,
          summary.exitStatus ?? null,
          endings.numberOf(summary.reason),
          summary.commands,
          summary.refusals,
          found.transcript === "" ? 0 : 1,
          [...found.commands].map((command) => commands.numberOf(command)),
          found.keyIds,
          found.computers.map((computer) => computers.numberOf(computer)),
          [...found.disclosedByDay].flat(),
        ],
      ];
    });
    this.#sessions.clear();
    const content = {
      users: users.all,
      clients: clients.all,
      commands: commands.all,
      computers: computers.all,
      endings: endings.all,
      sessions,
    };
    return { places, content };
  }
}
