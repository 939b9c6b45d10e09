import { create, type RecordingEvent } from "asciinema-player";
import playerStyle from "asciinema-player/dist/bundle/asciinema-player.css";
import { visibleText } from "../visible-text.ts";
import { element, find } from "./elements.ts";

type CastEvent = readonly [seconds: number, code: string, text: string];

interface Cast {
  readonly header: { readonly term?: { readonly cols?: number; readonly rows?: number } };
  readonly events: readonly CastEvent[];
}

/** Reorders what stands around it, beyond the terminal's cells; in a terminal's output it has no business. */
const reordering = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

const readCast = (): Cast => {
  const raw: unknown = JSON.parse(find("#cast", HTMLScriptElement).text);
  const [header = {}, ...events] = Array.isArray(raw) ? (raw as unknown[]) : [];
  return { header: header as Cast["header"], events: events as CastEvent[] }; // cast-lines.ts lets nothing else through
};

const clock = (atMs: number): string => {
  const seconds = Math.floor(atMs / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
};

/** Times from the start, in milliseconds; only what the player shows. */
const eventsFromStart = (events: readonly CastEvent[]): RecordingEvent[] => {
  let atMs = 0;
  return events.flatMap(([seconds, code, text]): RecordingEvent[] => {
    atMs += Math.max(0, seconds) * 1000;
    if (code === "o") return [[atMs, "o", text.replace(reordering, "\ufffd")]];
    if (code === "m") return [[atMs, "m", visibleText(text)]];
    return code === "r" && /^\d{1,4}x\d{1,4}$/.test(text) ? [[atMs, "r", text]] : [];
  });
};

/** 1 to 1,000: the player makes room for each cell. */
const size = (value: number | undefined, usual: number): number =>
  typeof value === "number" && value >= 1 ? Math.min(1000, Math.floor(value)) : usual;

const start = (): void => {
  // Adopted, not inserted: the page's policy allows its own style by hash, and what a trusted script makes.
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(playerStyle);
  document.adoptedStyleSheets.push(sheet);

  const { header, events } = readCast();
  const shown = eventsFromStart(events);
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const place = find("#player", HTMLElement);
  place.replaceChildren();
  const player = create(
    {
      data: {},
      parser: () => ({ cols: size(header.term?.cols, 80), rows: size(header.term?.rows, 24), events: shown }),
    },
    place,
    {
      preload: true,
      poster: "npt:0:01",
      fit: "width",
      idleTimeLimit: 3,
      cursorMode: still ? "steady" : "blinking",
      controls: true,
    },
  );
  // Sought before it was ever played, version 3.17.0 draws the rows that changed over the poster, and leaves the others out.
  // The event, not the promise of play(), says that it does.
  const playing = new Promise<void>((resolve) => player.addEventListener("playing", () => resolve()));
  let wasPlayed = false;
  void playing.then(() => (wasPlayed = true));
  const position = find("#position", HTMLElement);
  const jump = async (marker: number, words: string): Promise<void> => {
    if (!wasPlayed) {
      void player.play();
      await playing;
    }
    await player.pause();
    await player.seek({ marker });
    position.textContent = words;
    // A mark stands before what it marks is painted: the screen there is not yet what one jumps for.
    if (!still) await player.play();
  };
  const marks = shown.filter(([, code]) => code === "m");
  const buttons = marks.map(([atMs, , label], index) => {
    const name = String(label);
    const kind = name.startsWith("disclosed ") ? "disclosed" : "plain";
    const button = element(
      "button",
      { type: "button", class: kind },
      element("span", { class: "time" }, clock(atMs)),
      ` ${name}`,
    );
    button.addEventListener("click", () => {
      void jump(index, `At ${clock(atMs)}: ${name}`);
    });
    return element("li", {}, button);
  });
  find("#markers", HTMLElement).replaceChildren(
    ...(buttons.length === 0 ? [element("li", { class: "hint" }, "no marks in this transcript")] : buttons),
  );
};

start();
