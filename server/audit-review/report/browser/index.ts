import type { IndexContent } from "../index-content.ts";
import { drawCharts } from "./charts.ts";
import { counted, element, figures, find } from "./elements.ts";
import { fields, fitting, type Criteria, type Field } from "./filter.ts";
import { decodeContent, type ReportSession } from "./report-session.ts";
import { SessionTable } from "./session-table.ts";

type Control = HTMLInputElement | HTMLSelectElement;

const controlOf = (field: Field): Control => {
  const control = document.querySelector(`#filters [name="${field}"]`);
  if (control instanceof HTMLInputElement || control instanceof HTMLSelectElement) return control;
  throw new Error(`the page has no filter ${field}`);
};

const criteriaNow = (): Criteria => {
  const read = Object.fromEntries(fields.map((field) => [field, controlOf(field).value]));
  return read as Record<Field, string>; // fromEntries forgets the names
};

const offer = (sessions: readonly ReportSession[]): void => {
  const users = new Set<string>();
  const commands = new Set<string>();
  for (const session of sessions) {
    users.add(session.user);
    for (const command of session.commands) commands.add(command);
  }
  find("#users", HTMLElement).append(...[...users].sort().map((value) => element("option", { value })));
  controlOf("command").append(...[...commands].sort().map((value) => element("option", { value }, value)));
};

/** The filter lies in the address, so that going back from a session finds it again, and a link can be kept. */
const readAddress = (): void => {
  const wanted = new URLSearchParams(location.hash.slice(1));
  for (const field of fields) controlOf(field).value = wanted.get(field) ?? "";
};

const writeAddress = (criteria: Criteria): void => {
  const asked = new URLSearchParams(Object.entries(criteria).filter(([, value]) => value !== ""));
  history.replaceState(null, "", asked.size === 0 ? "#" : `#${asked.toString()}`);
};

const start = (): void => {
  const raw: unknown = JSON.parse(find("#content", HTMLScriptElement).text);
  const sessions = decodeContent(raw as IndexContent); // written with this script, by the same version
  const table = new SessionTable();
  const count = find("#count", HTMLElement);
  const update = (): void => {
    const criteria = criteriaNow();
    const shown = fitting(sessions, criteria);
    const keys = shown.reduce((sum, { keyIds }) => sum + keyIds.length, 0);
    count.textContent = `${figures(shown.length)} of ${figures(sessions.length)} sessions, ${counted(keys, "key")} disclosed in them`;
    table.show(shown);
    drawCharts(shown, (field, name) => {
      controlOf(field).value = name;
      controlOf(field).focus();
      change();
    });
  };
  const change = (): void => {
    update();
    writeAddress(criteriaNow());
  };
  find("#needs-script", HTMLElement).remove();
  offer(sessions);
  readAddress();
  const form = find("#filters", HTMLFormElement);
  form.addEventListener("input", change);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault(); // it comes before the fields are emptied, and there is no event after
    for (const field of fields) controlOf(field).value = "";
    change();
  });
  addEventListener("hashchange", () => {
    readAddress();
    update();
  });
  update();
};

start();
