import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { logLines } from "../../audit/log-lines.ts";
import type { SessionQuery } from "../../command/review-port.ts";
import { decodeLine, textOf, type ReadLine } from "../decode-line.ts";
import type { RecordPaths } from "../record-paths.ts";
import { SessionsOnRecord, type SessionView } from "../session-view.ts";
import { collect, isOfSession, type SessionPlace } from "./collect.ts";
import { indexPage, type ReportFacts } from "./index-page.ts";
import type { ReportAssets } from "./page.ts";
import { writePieces } from "./report-folder.ts";
import { sessionPage } from "./session-page.ts";

export interface ReportOptions {
  readonly paths: Pick<RecordPaths, "log" | "transcripts">;
  /** Prepared: empty but for the marker and its folders. */
  readonly folder: string;
  readonly query: SessionQuery;
  readonly facts: ReportFacts;
  /** The folder that build.ts made for the browser. */
  readonly assetsFolder: string;
}

interface PlacedLine {
  readonly line: ReadLine;
  readonly bytes: Buffer;
  /** Which of the readable lines it is: a damaged log may number its lines as it likes. */
  readonly place: number;
}

/** What was verified and nothing that came since: the report says of these events that they hold. */
const verifiedLines = function* (directory: string, events: number): Generator<PlacedLine> {
  let leaves = 0;
  let place = 0;
  for (const { content } of logLines(directory)) {
    if (content.kind !== "line" && content.kind !== "pruned") continue;
    leaves += 1;
    if (leaves > events) return;
    const line = content.kind === "line" ? decodeLine(content.bytes) : undefined;
    if (line === undefined || content.kind !== "line") continue;
    place += 1;
    yield { line, bytes: content.bytes, place };
  }
};

/** What happened on a connection before its session: who connected with what, and how they logged in. */
const isPrelude = ({ event }: ReadLine): boolean =>
  ["connection-opened", "authentication", "request-refused", "connection-dropped"].includes(event.type);

const decoded = function* (lines: readonly Buffer[]): Generator<ReadLine> {
  for (const bytes of lines) {
    const line = decodeLine(bytes);
    if (line !== undefined) yield line;
  }
};

/** The sessions' pages, in the order in which they end. Only the lines of sessions under way are held. */
const sessionsWithLines = function* (
  lines: Iterable<PlacedLine>,
  places: readonly SessionPlace[],
): Generator<{ readonly place: SessionPlace; readonly lines: Iterable<ReadLine> }> {
  const wanted = new Map(places.map((place) => [place.summary.sessionId, place]));
  const held = new Map<string, Buffer[]>();
  const preludes = new Map<string, Buffer[]>();
  for (const { line, bytes, place } of lines) {
    if (wanted.size === 0) return;
    const { event } = line;
    const connectionId = textOf(event, "connectionId");
    const sessionId = textOf(event, "sessionId");
    if (event.type === "server-started") preludes.clear(); // connections that a crash left without an end
    if (event.type === "connection-closed") preludes.delete(connectionId);
    if (sessionId === "" && connectionId !== "" && isPrelude(line)) {
      preludes.set(connectionId, [...(preludes.get(connectionId) ?? []), Buffer.from(bytes)]);
    }
    const session = wanted.get(sessionId);
    if (session === undefined || !isOfSession(line)) continue;
    const sessionLines = held.get(sessionId) ?? [...(preludes.get(connectionId) ?? [])];
    sessionLines.push(Buffer.from(bytes));
    held.set(sessionId, sessionLines);
    if (place < session.lastPlace) continue;
    held.delete(sessionId);
    wanted.delete(sessionId);
    yield { place: session, lines: decoded(sessionLines) };
  }
};

const transcriptOf = (place: SessionPlace, directory: string) => {
  if (place.transcript === "") return "none";
  const path = join(directory, basename(place.transcript));
  return existsSync(path) ? { path } : "missing";
};

/** The first reading: the sessions that match, in the order in which they began, and where the last event of each is. */
const sessionsIn = (
  lines: Iterable<PlacedLine>,
  query: SessionQuery,
): [views: readonly SessionView[], lastPlaceOf: (sessionId: string) => number] => {
  const sessions = new SessionsOnRecord(query, "each");
  const lastPlaces = new Map<string, number>();
  for (const { line, place } of lines) {
    sessions.take(line);
    const sessionId = textOf(line.event, "sessionId");
    if (sessionId !== "" && isOfSession(line)) lastPlaces.set(sessionId, place);
  }
  sessions.endOfLog();
  const views = sessions.takeDone(0).toSorted((one, other) => one.place - other.place);
  return [views, (sessionId) => lastPlaces.get(sessionId) ?? 0];
};

export interface ReportProgress {
  readonly written: number;
  readonly sessions: number;
}

/** Writes the report, a session at a time; the index comes last. Yields after each, so that its caller can stop. */
export const writeReport = function* ({
  paths,
  folder,
  query,
  facts,
  assetsFolder,
}: ReportOptions): Generator<ReportProgress> {
  const asset = (name: string): string => readFileSync(join(assetsFolder, name), "utf8");
  const assets: ReportAssets = { style: asset("report.css").trim(), indexScript: asset("index.js").trim() };
  for (const name of ["session.js", "LICENSE.asciinema-player"]) {
    writePieces(join(folder, "assets", name), [asset(name)]);
  }
  const { events } = facts.verification;
  const { places, content } = collect(...sessionsIn(verifiedLines(paths.log, events), query));
  let written = 0;
  yield { written, sessions: places.length };
  for (const { place, lines } of sessionsWithLines(verifiedLines(paths.log, events), places)) {
    const transcript = transcriptOf(place, paths.transcripts);
    const page = sessionPage({ place, lines, style: assets.style, transcript });
    writePieces(join(folder, "sessions", place.page), page);
    written += 1;
    yield { written, sessions: places.length };
  }
  writePieces(join(folder, "index.html"), indexPage(facts, content, assets));
};
