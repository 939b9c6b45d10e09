import { counted, element, figures, find } from "./elements.ts";
import type { ReportSession } from "./report-session.ts";

/** Rows on one page: at this number a filter answers within a frame or two however many sessions there are. */
const pageRows = 100;

interface Column {
  readonly title: string;
  readonly cell: (session: ReportSession) => Node | string;
  readonly order?: (a: ReportSession, b: ReportSession) => number;
  readonly kind?: "number" | "word";
}

const timeOf = (atMs: number): string =>
  Number.isNaN(atMs) ? "" : new Date(atMs).toISOString().slice(0, 19).replace("T", " ");

const outcomeOf = ({ exitStatus, ending }: ReportSession): Node => {
  if (ending === "Running") return element("span", { class: "tag warn" }, "no end");
  if (ending === "Aborted") return element("span", { class: "tag warn" }, "aborted");
  return element("span", { class: exitStatus === 0 ? "tag" : "tag warn" }, `exit ${exitStatus ?? "?"}`);
};

const someOf = (names: readonly string[], most: number): string => {
  const distinct = [...new Set(names.slice(0, 1000))];
  const shown = distinct.slice(0, most).join(", ");
  return distinct.length > most ? `${shown}, …` : shown;
};

const text = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const columns: readonly Column[] = [
  {
    title: "Started (UTC)",
    cell: ({ startedAtMs, page }) => element("a", { href: `sessions/${page}` }, timeOf(startedAtMs)),
    order: (a, b) => a.startedAtMs - b.startedAtMs,
  },
  { title: "User", cell: ({ user }) => user, order: (a, b) => text(a.user, b.user), kind: "word" },
  { title: "From", cell: ({ client }) => client, order: (a, b) => text(a.client, b.client), kind: "word" },
  {
    title: "Kind",
    cell: ({ mode, hasTranscript }) => (hasTranscript ? `${mode}, transcript` : mode),
    order: (a, b) => text(a.mode, b.mode),
    kind: "word",
  },
  {
    title: "Commands",
    cell: ({ commands, refusals }) => {
      const ran = someOf(commands, 3);
      if (refusals === 0) return ran;
      const refused = element("span", { class: "tag warn" }, `${figures(refusals)} refused`);
      return element("span", {}, ran, ran === "" ? "" : " ", refused);
    },
    order: (a, b) => a.commandsRun + a.refusals - b.commandsRun - b.refusals,
  },
  {
    title: "Keys",
    cell: ({ keyIds }) => (keyIds.length === 0 ? "" : figures(keyIds.length)),
    order: (a, b) => a.keyIds.length - b.keyIds.length,
    kind: "number",
  },
  { title: "Computers", cell: ({ computers }) => someOf(computers, 2) },
  { title: "Outcome", cell: outcomeOf, order: (a, b) => (a.exitStatus ?? -1) - (b.exitStatus ?? -1) },
];

const rowOf = (session: ReportSession): HTMLTableRowElement => {
  const cells = columns.map(({ cell, kind }, place) => {
    const attributes = kind === undefined ? {} : { class: kind };
    return place === 0
      ? element("th", { scope: "row", class: "time" }, cell(session))
      : element("td", attributes, cell(session));
  });
  return element("tr", {}, ...cells);
};

/** The list: ordered by a column, a page at a time, all of it on paper. */
export class SessionTable {
  #sessions: readonly ReportSession[] = [];
  #orderedBy = 0;
  #direction: 1 | -1 = -1;
  #page = 0;
  readonly #body = find("#sessions tbody", HTMLTableSectionElement);
  readonly #head = find("#sessions thead tr", HTMLTableRowElement);
  readonly #pages = find("#pages", HTMLElement);

  constructor() {
    const headers = columns.map(({ title, order }, place) => {
      if (order === undefined) return element("th", { scope: "col" }, title);
      const button = element("button", { type: "button" }, title);
      button.addEventListener("click", () => this.#orderBy(place));
      return element("th", { scope: "col" }, button);
    });
    this.#head.replaceChildren(...headers);
    addEventListener("beforeprint", () => this.#fill(this.#sessions));
    addEventListener("afterprint", () => this.#draw());
  }

  show(sessions: readonly ReportSession[]): void {
    this.#sessions = this.#ordered(sessions);
    this.#page = 0;
    this.#draw();
  }

  #ordered(sessions: readonly ReportSession[]): ReportSession[] {
    const order = columns[this.#orderedBy]?.order ?? (() => 0);
    return sessions.toSorted((a, b) => this.#direction * order(a, b));
  }

  #orderBy(place: number): void {
    // Names from the top of the alphabet; times and counts, the largest first.
    const first = columns[place]?.kind === "word" ? 1 : -1;
    this.#direction = place === this.#orderedBy ? (this.#direction === 1 ? -1 : 1) : first;
    this.#orderedBy = place;
    this.show(this.#sessions);
  }

  #fill(sessions: readonly ReportSession[]): void {
    this.#body.replaceChildren(...sessions.map(rowOf));
  }

  #draw(): void {
    const first = this.#page * pageRows;
    this.#fill(this.#sessions.slice(first, first + pageRows));
    [...this.#head.children].forEach((header, place) => {
      if (place === this.#orderedBy) {
        header.setAttribute("aria-sort", this.#direction === 1 ? "ascending" : "descending");
      } else header.removeAttribute("aria-sort");
    });
    const last = Math.max(0, Math.ceil(this.#sessions.length / pageRows) - 1);
    if (last === 0) {
      this.#pages.replaceChildren();
      return;
    }
    const button = (name: string, page: number): HTMLButtonElement => {
      const made = element("button", { type: "button" }, name);
      made.disabled = page < 0 || page > last || page === this.#page;
      made.addEventListener("click", () => this.#turnTo(page, name));
      return made;
    };
    const shown = `${figures(first + 1)} to ${figures(Math.min(first + pageRows, this.#sessions.length))} of ${counted(this.#sessions.length, "session")}`;
    this.#pages.replaceChildren(
      button("First", 0),
      button("Previous", this.#page - 1),
      element("span", { role: "status" }, shown),
      button("Next", this.#page + 1),
      button("Last", last),
    );
  }

  #turnTo(page: number, name: string): void {
    this.#page = page;
    this.#draw();
    // The buttons were made anew: whoever pressed one by keyboard goes on from the same one.
    const buttons = [...this.#pages.querySelectorAll("button")];
    const again = buttons.find((button) => button.textContent === name && !button.disabled);
    (again ?? buttons.find((button) => !button.disabled))?.focus();
  }
}
