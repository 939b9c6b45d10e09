import type { ReadLine } from "../decode-line.ts";
import { castAsJson } from "./cast-lines.ts";
import type { SessionPlace } from "./collect.ts";
import { eventRow } from "./event-rows.ts";
import { htmlText } from "./html.ts";
import { pageFrame } from "./page.ts";

const fact = (name: string, value: string): string =>
  value === "" ? "" : `<div><dt>${name}</dt><dd>${htmlText(value)}</dd></div>`;

const durationOf = (startedAt: string, endedAt: string): string => {
  const seconds = Math.round((Date.parse(endedAt) - Date.parse(startedAt)) / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  return [...(hours > 0 ? [`${hours} h`] : []), ...(minutes > 0 ? [`${minutes} min`] : []), `${seconds % 60} s`].join(
    " ",
  );
};

const factsOf = ({ summary }: SessionPlace): string => {
  const ended = summary.endedAt;
  return `<dl class="facts">${[
    fact("User", summary.connectedUser),
    fact("From", summary.clientAddress),
    fact("Kind", summary.mode),
    fact("Started", summary.startedAt),
    fact("Ended", ended ?? "no end is on the record"),
    fact("Took", ended === undefined ? "" : durationOf(summary.startedAt, ended)),
    fact("Exit status", String(summary.exitStatus ?? "")),
    fact("Ended because", summary.reason),
    fact("Commands", `${summary.commands} run, ${summary.refusals} refused`),
    fact("Key ids disclosed", summary.keys.toLocaleString("en-US")),
  ].join("")}</dl>`;
};

const playerSection = function* (transcriptPath: string): Generator<string> {
  yield `<section aria-labelledby="transcript" class="transcript"><h2 id="transcript">Transcript</h2>
<div class="watch"><div id="player" role="region" aria-label="Player of the session’s screen"><p>The player needs JavaScript; <code>pep audit play</code> plays the transcript in a terminal.</p></div>
<nav aria-labelledby="jump"><h3 id="jump">Jump to</h3><ol id="markers"></ol></nav></div>
<p class="hint">Keys, in the player: <kbd>Space</kbd> plays and pauses, <kbd>←</kbd> <kbd>→</kbd> seek, <kbd>[</kbd> <kbd>]</kbd> jump to the marks, <kbd>.</kbd> steps, <kbd>f</kbd> fills the screen. Recovery keys are masked in every transcript.</p>
<p id="position" role="status" class="hint"></p>
<p class="print-only">The screen can be played in a browser only.</p></section>
<script type="application/json" id="cast">`;
  yield* castAsJson(transcriptPath);
  yield "</script>\n";
};

export interface SessionPageParts {
  readonly place: SessionPlace;
  readonly lines: Iterable<ReadLine>;
  readonly style: string;
  /** `missing`: the record names one, and it is not there. */
  readonly transcript: { readonly path: string } | "none" | "missing";
}

/** A session's page, in pieces. */
export const sessionPage = function* ({ place, lines, style, transcript }: SessionPageParts): Generator<string> {
  const { sessionId, connectedUser } = place.summary;
  const hasPlayer = typeof transcript === "object";
  const title = `Session ${sessionId}, ${connectedUser}`;
  const { before, after } = pageFrame({ title, style, script: hasPlayer ? "player" : "none" });
  yield `${before}<header><nav aria-label="Report"><a href="../index.html">All sessions</a></nav><h1>Session <span class="id">${htmlText(sessionId)}</span></h1></header>
<main id="main" tabindex="-1">${factsOf(place)}
`;
  if (hasPlayer) yield* playerSection(transcript.path);
  if (transcript === "missing") {
    yield `<p class="warning">The record names a transcript of this session, but it is not there.</p>\n`;
  }
  yield `<section aria-labelledby="events"><h2 id="events">Events</h2>
<div class="scroll" role="region" aria-labelledby="events" tabindex="0"><table class="events"><thead><tr><th scope="col">No.</th><th scope="col">Time (UTC)</th><th scope="col">Event</th><th scope="col">Details</th></tr></thead>
<tbody>
`;
  for (const line of lines) yield eventRow(line);
  yield `</tbody></table></div></section></main>\n${after}`;
};
