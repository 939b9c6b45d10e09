import type { IndexContent, SessionRow } from "../index-content.ts";
import type { SessionEnding } from "../../../command/review-port.ts";
import { visibleText } from "../visible-text.ts";

/** A row of the index, as the page works with it. What is shown went through `visibleText`. */
export interface ReportSession {
  readonly sessionId: string;
  readonly page: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number | undefined;
  readonly user: string;
  readonly client: string;
  readonly mode: string;
  readonly exitStatus: number | undefined;
  readonly ending: SessionEnding;
  readonly commandsRun: number;
  readonly refusals: number;
  readonly hasTranscript: boolean;
  readonly commands: readonly string[];
  readonly keyIds: readonly string[];
  readonly computers: readonly string[];
  readonly disclosedByDay: readonly (readonly [day: number, keys: number])[];
}

const pairs = (flat: readonly number[]): (readonly [number, number])[] => {
  const found: (readonly [number, number])[] = [];
  for (let at = 0; at + 1 < flat.length; at += 2) found.push([flat[at] ?? 0, flat[at + 1] ?? 0]);
  return found;
};

export const decodeContent = ({ sessions, ...words }: IndexContent): ReportSession[] => {
  const visible = (list: readonly string[]): string[] => list.map(visibleText);
  const users = visible(words.users);
  const clients = visible(words.clients);
  const commands = visible(words.commands);
  const computers = visible(words.computers);
  return sessions.map(
    ([
      id,
      page,
      started,
      ended,
      user,
      client,
      mode,
      exit,
      ending,
      run,
      refusals,
      hasTranscript,
      ran,
      keys,
      of,
      days,
    ]: SessionRow) => ({
      sessionId: visibleText(id),
      page,
      startedAtMs: started,
      endedAtMs: ended ?? undefined,
      user: users[user] ?? "",
      client: clients[client] ?? "",
      mode: visibleText(mode),
      exitStatus: exit ?? undefined,
      ending,
      commandsRun: run,
      refusals,
      hasTranscript: hasTranscript === 1,
      commands: ran.map((command) => commands[command] ?? ""),
      keyIds: keys,
      computers: of.map((computer) => computers[computer] ?? ""),
      disclosedByDay: pairs(days),
    }),
  );
};
