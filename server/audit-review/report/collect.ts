import type { ReviewedSession } from "../../command/review-port.ts";
import { textOf, type ReadLine } from "../decode-line.ts";
import type { SessionView } from "../session-view.ts";
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

/** Where a session's page is to be found and when its last event has been read. */
export interface SessionPlace {
  readonly summary: ReviewedSession;
  readonly page: string;
  readonly transcript: string;
  /** Of its last event, among the readable lines. */
  readonly lastPlace: number;
}

/** Events that are about a session without being of it would keep its page open to the end of the log. */
export const isOfSession = ({ event }: ReadLine): boolean => event.type !== "review";

/** A name that can't leave the folder, whatever a damaged log calls its session. */
const pageOf = (sessionId: string, place: number): string =>
  /^[A-Za-z0-9-]{1,64}$/.test(sessionId) ? `${sessionId}.html` : `session-${place}.html`;

/** What the index shows of the sessions, and where the pages of each begin and end. */
export const collect = (
  views: readonly SessionView[],
  lastPlaceOf: (sessionId: string) => number,
): { readonly places: readonly SessionPlace[]; readonly content: IndexContent } => {
  const [users, clients, commands, computers] = [new Words(), new Words(), new Words(), new Words()];
  const places: SessionPlace[] = [];
  const sessions = views.map((view, index): SessionRow => {
    const summary = view.reviewed();
    const transcript = textOf(view.started.event, "transcript");
    const page = pageOf(summary.sessionId, index + 1);
    places.push({ summary, page, transcript, lastPlace: lastPlaceOf(summary.sessionId) });
    return [
      summary.sessionId,
      page,
      Date.parse(summary.startedAt),
      summary.endedAt === undefined ? null : Date.parse(summary.endedAt),
      users.numberOf(summary.connectedUser),
      clients.numberOf(summary.clientAddress),
      summary.mode,
      summary.exitStatus ?? null,
      summary.ending,
      summary.commands,
      summary.refusals,
      transcript === "" ? 0 : 1,
      [...view.commandNames].map((command) => commands.numberOf(command)),
      view.disclosed.map(({ keyId }) => keyId),
      view.disclosed.map(({ computerName }) => computers.numberOf(computerName)),
      summary.keysByDay.flatMap(([day, keys]) => [Math.floor(Date.parse(`${day}T00:00:00Z`) / dayMs), keys]),
    ];
  });
  const content = {
    users: users.all,
    clients: clients.all,
    commands: commands.all,
    computers: computers.all,
    sessions,
  };
  return { places, content };
};
