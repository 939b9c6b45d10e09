import type { Live, Size } from "../layout/live.ts";
import { cellsOf, cutTo, graphemes, padTo } from "../text/cells.ts";
import { printable } from "../text/printable.ts";
import { type Line, span } from "../text/tones.ts";
import { clockText } from "./clock-text.ts";
import type { ScreenView } from "./emulator.ts";
import type { PlayerView } from "./player.ts";

/** What the auditor types at the bottom. */
export interface Asking {
  readonly kind: "time" | "search";
  readonly text: string;
}

export interface PlayerLook {
  readonly player: PlayerView;
  readonly sessionId: string;
  readonly asking: Asking | undefined;
  readonly help: boolean;
  /** Moved by hand, in cells, from where the view would be by itself. */
  readonly pan: { readonly x: number; readonly y: number };
}

const keys: readonly (readonly [string, string])[] = [
  ["space", "play, pause"],
  [".", "next event"],
  ["← →", "5 seconds back, on (with Ctrl: 60)"],
  ["g 0…9", "go to a time: 90, 1:30, 1:02:03, 50%"],
  ["[ ] < >", "slower, faster"],
  ["n p", "next, previous command"],
  ["d D", "next, previous disclosure"],
  ["/", "find text on the screen; Enter: the next"],
  ["i", "gaps shortened to 2 s, or not"],
  ["Home End", "the beginning, the end"],
  ["↑ ↓, Shift ← →", "move a screen that doesn't fit"],
  ["q", "back to the prompt"],
];

/** The same for a small window, two beside each other. */
const shortKeys: readonly string[] = [
  "space play, pause",
  ". next event",
  "← → 5 s, Ctrl: 60",
  "g 90, 1:30, 50%",
  "[ ] speed",
  "n p command",
  "d D disclosure",
  "/ find, Enter next",
  "i gaps as they were",
  "Home End",
  "↑ ↓ Shift ← → move",
  "q quit",
];
const leastForLong = 60;

const helpLines = (width: number, height: number): readonly Line[] => {
  if (width >= leastForLong && height >= keys.length) {
    return keys.map(([key, meaning]) => [span(cutTo(`${key.padEnd(16)}${meaning}`, width))]);
  }
  const half = Math.floor(width / 2);
  return Array.from({ length: Math.min(height, shortKeys.length / 2) }, (_, row) => {
    const [left = "", right = ""] = shortKeys.slice(row * 2);
    return [span(cutTo(padTo(left, half) + right, width))];
  });
};

/** The part of a line from a column on, in so many columns; a wide character that the edge would cut becomes a blank. */
const part = (line: Line, from: number, width: number): Line => {
  const cut: { text: string; tone: Line[number]["tone"] }[] = [];
  let column = 0;
  for (const { text, tone } of line) {
    let kept = "";
    for (const grapheme of graphemes(text)) {
      const wide = cellsOf(grapheme);
      const begin = column - from;
      column += wide;
      if (begin < 0 ? begin + wide > 0 : begin < width && begin + wide > width) kept += " ";
      else if (begin >= 0 && begin + wide <= width) kept += grapheme;
    }
    if (kept !== "") cut.push({ text: kept, tone });
  }
  return cut.map(({ text, tone }) => span(text, tone));
};

const isBlank = (line: Line): boolean => line.every(({ text }) => text.trim() === "");

/** The first line shown: as high as possible with the cursor, or the last line that has something on it, still in sight. */
const firstShown = (length: number, shown: number, anchor: number): number =>
  Math.max(0, Math.min(length - shown, anchor - shown + 1));

interface Window {
  readonly lines: readonly Line[];
  readonly cursor: { readonly x: number; readonly y: number } | undefined;
}

/** As much of the recorded screen as fits. */
const windowOf = (screen: ScreenView, width: number, height: number, pan: PlayerLook["pan"]): Window => {
  const { lines, cursor, size } = screen;
  const lastWithText = lines.findLastIndex((line) => !isBlank(line));
  const wantedTop = firstShown(lines.length, height, Math.max(lastWithText, cursor?.y ?? 0)) + pan.y;
  const top = Math.max(0, Math.min(lines.length - height, wantedTop));
  const wantedLeft = (cursor === undefined || cursor.x < width ? 0 : cursor.x - width + 1) + pan.x;
  const left = Math.max(0, Math.min(size.columns - width, wantedLeft));
  const shown = Array.from({ length: height }, (_, row) => part(lines[top + row] ?? [], left, width));
  const at = cursor === undefined ? undefined : { x: cursor.x - left, y: cursor.y - top };
  const isInside = at !== undefined && at.x >= 0 && at.x < width && at.y >= 0 && at.y < height;
  return { lines: shown, cursor: isInside ? at : undefined };
};

const firstThatFits = (texts: readonly string[], width: number): string =>
  texts.find((text) => cellsOf(text) <= width) ?? cutTo(texts.at(-1) ?? "", width);

const statusLine = ({ player }: PlayerLook, width: number): Line => {
  const { positionMs, durationMs, isPlaying, isLive } = player;
  const mark = isPlaying ? "▶" : "‖";
  const total =
    durationMs === undefined
      ? `reading ${Math.floor(player.readPart * 100)} %`
      : clockText(durationMs) + (isLive ? "+" : "");
  const clock = `${mark} ${clockText(positionMs)} / ${total}`;
  const speed = player.speed === 1 ? "" : `  ${player.speed}×`;
  const damaged = player.malformed === 0 ? "" : `  ${player.malformed} damaged`;
  const beginning = clock + speed + damaged;
  const command = player.command === undefined ? "" : `  ${printable(player.command)}`;
  const room = width - cellsOf(beginning);
  const isShort = room < 8;
  return [span(cutTo(beginning, width), "name"), span(isShort ? "" : cutTo(command, room), "quiet")];
};

const hint = (width: number): string =>
  firstThatFits(
    [
      "space pause  . step  ← → 5 s  [ ] speed  n p command  d D disclosure  / find  ? help  q quit",
      "space pause  . step  n p command  d disclosure  / find  ? help  q quit",
      "space pause  n command  ? help  q quit",
      "? help  q quit",
    ],
    width,
  );

const labels = { time: "go to: ", search: "find: " } as const;

/** The line at the bottom, and where the cursor stands in it when something is being typed. */
const bottomLine = (look: PlayerLook, width: number): { readonly line: Line; readonly cursorX: number | undefined } => {
  const { asking, player, help } = look;
  if (asking !== undefined) {
    const label = labels[asking.kind];
    // The end of what is typed, where it doesn't fit.
    let typed = asking.text;
    while (cellsOf(label + typed) >= width && typed !== "") typed = graphemes(typed).slice(1).join("");
    return { line: [span(label, "prompt"), span(typed)], cursorX: cellsOf(label + typed) };
  }
  if (help) return { line: [span(cutTo("any key: back", width), "quiet")], cursorX: undefined };
  if (player.message !== undefined) {
    return { line: [span(cutTo(printable(player.message), width), "warning")], cursorX: undefined };
  }
  return { line: [span(hint(width), "quiet")], cursorX: undefined };
};

/** The player's screen: the recorded one, or as much of it as fits, over two lines of our own. */
export const viewPlayer = (look: PlayerLook, size: Size): Live => {
  const width = size.columns;
  // One row less than the screen: Ink clears the whole screen for a full one.
  const height = Math.max(1, size.rows - 1);
  const bottom = bottomLine(look, width);
  if (height < 3) {
    const line = look.asking === undefined ? statusLine(look, width) : bottom.line;
    return { lines: [line], cursor: bottom.cursorX === undefined ? undefined : { x: bottom.cursorX, y: 0 } };
  }
  const { screen } = look.player;
  // A recording that fits leaves no hole under it.
  const room = Math.min(height - 2, look.help ? height : (screen?.size.rows ?? 1));
  const window = look.help
    ? { lines: helpLines(width, room), cursor: undefined }
    : screen === undefined
      ? { lines: [[span(cutTo(`Opening ${look.sessionId}…`, width), "quiet")]], cursor: undefined }
      : windowOf(screen, width, room, look.pan);
  const lines = [...window.lines, statusLine(look, width), bottom.line];
  const cursor = bottom.cursorX === undefined ? window.cursor : { x: bottom.cursorX, y: lines.length - 1 };
  return { lines, cursor };
};
