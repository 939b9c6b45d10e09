import { disclosedIn, textOf, type ReadEvent, type ReadLine } from "../decode-line.ts";
import { htmlText } from "./html.ts";

/** Shown once for the whole session, above its events. */
const ofTheSession = new Set(["type", "sessionId", "connectionId", "connectedUser", "clientAddress"]);

const names: Readonly<Record<string, string>> = {
  "connection-opened": "Connection opened",
  "connection-dropped": "Connection dropped",
  "request-refused": "Request refused",
  "budget-struck": "Budget used up",
  "session-started": "Session started",
  "session-ended": "Session ended",
  "command-refused": "Command refused",
  "command-started": "Command started",
  "command-finished": "Command finished",
  disclosure: "Keys disclosed",
};

const nameOf = (event: ReadEvent): string => {
  if (event.type === "authentication") return `Log-in ${textOf(event, "outcome")}`;
  if (event.type === "elevation") return `Approval ${textOf(event, "state")}`;
  return names[event.type] ?? event.type;
};

/** Refusals stand out, and disclosures; the word says it too. */
const toneOf = (event: ReadEvent): string => {
  if (event.type === "disclosure") return "disclosed";
  const refused = /refused|dropped/.test(event.type) || event["outcome"] === "refused" || event["outcome"] === "failed";
  return refused ? "refused" : "plain";
};

/** `keyFingerprint` as “key fingerprint”. */
const words = (field: string): string => field.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

const valueOf = (value: unknown): string => {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return ["[]", "{}"].includes(text) ? "none" : text;
};

const fewKeys = 20;

/** Many keys are lines of text behind a summary: a table of a hundred thousand rows would stop the browser. */
const keysOf = (event: ReadEvent): string => {
  const keys = disclosedIn(event);
  const lines = keys.map(({ keyId, computerName }) => htmlText(`${keyId}  ${computerName}`.replaceAll("\n", "\\n")));
  const list = `<pre>${lines.join("\n")}</pre>`;
  return keys.length <= fewKeys
    ? list
    : `<details><summary>${keys.length.toLocaleString("en-US")} key ids</summary>${list}</details>`;
};

const fieldsOf = (event: ReadEvent): string => {
  const fields = Object.entries(event).filter(
    ([field, value]) =>
      !ofTheSession.has(field) && value !== undefined && !(event.type === "disclosure" && field === "keys"),
  );
  const rows = fields.map(
    ([field, value]) => `<div><dt>${htmlText(words(field))}</dt><dd>${htmlText(valueOf(value))}</dd></div>`,
  );
  return rows.length === 0 ? "" : `<dl>${rows.join("")}</dl>`;
};

/** One event, every field of it: what a newer version wrote is shown too. */
export const eventRow = ({ seq, at, event }: ReadLine): string => {
  const keys = event.type === "disclosure" ? keysOf(event) : "";
  const time = at.replace("T", " ").replace(/Z$/, "");
  return `<tr class="${toneOf(event)}" id="event-${seq}"><td class="number">${seq}</td><td class="time">${htmlText(time)}</td><th scope="row">${htmlText(nameOf(event))}</th><td>${fieldsOf(event)}${keys}</td></tr>\n`;
};
