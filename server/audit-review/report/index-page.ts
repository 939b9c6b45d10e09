import { htmlText, scriptJson } from "./html.ts";
import type { IndexContent } from "./index-content.ts";
import { pageFrame, type ReportAssets } from "./page.ts";
import type { Verification } from "../verify-record.ts";

export interface ReportFacts {
  readonly madeAt: Date;
  readonly madeBy: string;
  readonly version: string;
  /** Which sessions, in words; empty for all. */
  readonly only: string;
  /** The newest signed note, as text; undefined where there is none. */
  readonly checkpoint: string | undefined;
  readonly verification: Verification;
}

const list = (items: readonly string[]): string =>
  `<ul>${items.map((item) => `<li>${htmlText(item)}</li>`).join("")}</ul>`;

const checkpointOf = (note: string | undefined): string => {
  if (note === undefined) return "<p>There is no checkpoint.</p>";
  const [origin = "", size = "", root = ""] = note.split("\n");
  return `<dl class="facts"><div><dt>Checkpoint of</dt><dd class="id">${htmlText(origin)}</dd></div><div><dt>Events signed</dt><dd>${htmlText(size)}</dd></div><div><dt>Root hash</dt><dd class="id">${htmlText(root)}</dd></div></dl>
<details><summary>The signed note</summary><pre>${htmlText(note)}</pre></details>`;
};

const verificationOf = ({ verification, checkpoint }: ReportFacts): string => {
  const { problems, notices, claims, events } = verification;
  const holds = problems.length === 0;
  const verdict = holds ? "The record holds" : "The record does not hold";
  const count = `${events.toLocaleString("en-US")} events, ${problems.length} ${problems.length === 1 ? "problem" : "problems"}`;
  return `<section aria-labelledby="verification" class="verification ${holds ? "holds" : "broken"}"><h2 id="verification"><span aria-hidden="true">${holds ? "✓" : "✗"}</span> ${verdict}</h2>
<p>${count}, when this report was made.</p>
${holds ? "" : list(problems)}
${claims.map((claim) => `<p>${htmlText(claim)}</p>`).join("\n")}
${notices.length === 0 ? "" : `<details><summary>${notices.length === 1 ? "1 note" : `${notices.length} notes`}, no sign of tampering</summary>${list(notices)}</details>`}
${checkpointOf(checkpoint)}
<p class="hint">This page is a copy and proves nothing by itself: <code>pep audit verify</code> does, on the record.</p></section>
`;
};

/** The label beside its control, not around it: a select's options would be part of its name. */
const field = (name: string, label: string, control: string): string =>
  `<div class="field"><label for="filter-${name}">${label}</label>${control.replace(" ", ` id="filter-${name}" name="${name}" `)}</div>\n`;

const text = (more = ""): string => `<input type="text" ${more} autocomplete="off" spellcheck="false">`;

const outcomes = [
  ["", "any"],
  ["succeeded", "exit status 0"],
  ["failed", "another exit status"],
  ["refusals", "had refused commands"],
  ["disclosed", "disclosed keys"],
  ["aborted", "aborted"],
  ["open", "no end on the record"],
] as const;

const outcomeOptions = outcomes.map(([value, label]) => `<option value="${value}">${label}</option>`).join("");

const filters = `<form id="filters" role="search" aria-labelledby="filter-heading"><h2 id="filter-heading">Sessions</h2><div class="fields">
${[
  field("user", "User", text('list="users"')),
  field("from", "From", '<input type="date">'),
  field("to", "To", '<input type="date">'),
  field("command", "Command", '<select ><option value="">any</option></select>'),
  field("key", "Key id begins with", text()),
  field("computer", "Computer", text()),
  field("outcome", "Outcome", `<select >${outcomeOptions}</select>`),
].join("")}<datalist id="users"></datalist>
<button type="reset">Show all</button></div>
<p id="count" role="status"></p></form>
`;

const charts = `<section aria-labelledby="charts-heading"><h2 id="charts-heading" class="visually-hidden">Charts of the sessions shown</h2><div class="charts">
<figure id="sessions-over-time"></figure><figure id="disclosures-over-time"></figure>
<figure id="by-user"></figure><figure id="by-computer"></figure></div></section>
`;

const table = `<section aria-labelledby="list-heading"><h2 id="list-heading" class="visually-hidden">List of sessions</h2>
<div class="scroll" role="region" aria-labelledby="list-heading" tabindex="0"><table id="sessions"><thead><tr></tr></thead><tbody></tbody></table></div>
<nav id="pages" aria-label="Pages of the list"></nav></section>
`;

/** The index, in pieces. */
export const indexPage = function* (
  facts: ReportFacts,
  content: IndexContent,
  { style, indexScript }: ReportAssets,
): Generator<string> {
  const { before, after } = pageFrame({ title: "pep: report on the record", style, script: { text: indexScript } });
  const made = `${facts.madeAt.toISOString().slice(0, 16).replace("T", " ")} UTC`;
  yield before;
  yield `<header><h1>Report on the record</h1><p>Made ${made} by ${htmlText(facts.madeBy)} with pep ${htmlText(facts.version)}.${
    facts.only === "" ? "" : ` Only sessions with ${htmlText(facts.only)}.`
  } All times are UTC. It holds key ids and no keys.</p></header>
<main id="main" tabindex="-1">
`;
  yield verificationOf(facts);
  yield `<p id="needs-script" class="warning">The list of sessions needs JavaScript. Each session’s page, in the folder sessions, can be read without.</p>
`;
  yield filters + charts + table;
  yield `</main>\n<script type="application/json" id="content">`;
  yield* contentJson(content);
  yield `</script>\n${after}`;
};

/** Row by row: as one string it might be longer than a string may be. */
const contentJson = function* ({ sessions, ...words }: IndexContent): Generator<string> {
  yield `${scriptJson(words).slice(0, -1)},"sessions":[`;
  let separator = "";
  for (const session of sessions) {
    yield `${separator}${scriptJson(session)}`;
    separator = ",\n";
  }
  yield "]}";
};
