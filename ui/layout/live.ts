import { maskBegunKey, maskDigits } from "../../server/model/key-shaped-text.ts";
import { complete } from "../language/complete.ts";
import { hintFor } from "../language/hint.ts";
import { type Editor, ghostOf } from "../input/line-editor.ts";
import type { UiCommand } from "../protocol.ts";
import { cellsOf, cutTo, graphemes, padTo, wrapTo } from "../text/cells.ts";
import { printable } from "../text/printable.ts";
import { type Line, type Span, span, type Tone } from "../text/tones.ts";

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** The part of the screen that changes: what Ink repaints. Everything above it is printed once and never touched again. */
export interface Live {
  readonly lines: readonly Line[];
  readonly cursor: { readonly x: number; readonly y: number } | undefined;
}

export interface Prompt {
  readonly connectedUser: string;
  readonly endpointName: string;
}

/** What the screen is doing, apart from the line being typed. */
export type Activity =
  | { readonly kind: "prompt" }
  | { readonly kind: "running"; readonly elapsedMs: number; readonly stopping: boolean; readonly queued: number }
  | { readonly kind: "page"; readonly queued: number }
  | { readonly kind: "left" };

/** Shorter on a narrow terminal: half of a line is for what is typed. */
const promptText = ({ connectedUser, endpointName }: Prompt, columns: number): string => {
  const whole = `PS ${printable(connectedUser)}@${printable(endpointName)}> `;
  const texts = [whole, "PS> ", "> "];
  return texts.find((text) => cellsOf(text) <= columns / 2) ?? "> ";
};

interface Flow {
  readonly lines: readonly Line[];
  readonly cursor: { readonly x: number; readonly y: number };
}

/**
 * Text put into rows cell by cell, as a terminal would do it. Ink's own wrapping moves whole words and trims blanks, so
 * the cursor's place could not be computed from it; one row a `<Text>` also keeps Ink's text caches small.
 *
 * @param cursorAfter how many of the texts stand before the cursor
 */
const flow = (texts: readonly Span[], cursorAfter: number, width: number): Flow => {
  const lines: Span[][] = [[]];
  let x = 0;
  let cursor = { x: 0, y: 0 };
  const put = (text: string, tone: Tone): void => {
    for (const grapheme of graphemes(text)) {
      const wide = cellsOf(grapheme);
      if (x + wide > width && x > 0) {
        lines.push([]);
        x = 0;
      }
      const line = lines.at(-1) ?? [];
      const last = line.at(-1);
      if (last?.tone === tone) line[line.length - 1] = span(last.text + grapheme, tone);
      else line.push(span(grapheme, tone));
      x += wide;
    }
  };
  const mark = (): void => {
    if (x >= width) {
      lines.push([]);
      x = 0;
    }
    cursor = { x, y: lines.length - 1 };
  };
  if (cursorAfter === 0) mark();
  texts.forEach(({ text, tone }, index) => {
    put(text, tone);
    if (index + 1 === cursorAfter) mark();
  });
  return { lines, cursor };
};

/** The rows around the cursor, when there are more than fit. */
const windowOf = ({ lines, cursor }: Flow, height: number): Flow => {
  if (lines.length <= height) return { lines, cursor };
  const top = Math.min(Math.max(0, cursor.y - height + 1), lines.length - height);
  return { lines: lines.slice(top, top + height), cursor: { x: cursor.x, y: cursor.y - top } };
};

const editorFlow = (editor: Editor, prompt: string, ghost: string, width: number): Flow => {
  // Masking keeps every index, so the cursor's place in the text is also its place in what is shown.
  const shown = maskBegunKey(editor.text);
  return flow(
    [
      span(prompt, "prompt"),
      span(shown.slice(0, editor.cursor)),
      span(shown.slice(editor.cursor)),
      span(ghost, "quiet"),
    ],
    2,
    width,
  );
};

/** A candidate list in columns, the rows around the chosen one. */
const candidateLines = (choice: NonNullable<Editor["choice"]>, width: number, height: number): readonly Line[] => {
  const labels = choice.candidates.map(({ label }) => cutTo(printable(label), Math.max(1, width)));
  const each = Math.max(...labels.map(cellsOf)) + 2;
  const perRow = Math.max(1, Math.floor((width + 2) / each));
  const rows = Math.ceil(labels.length / perRow);
  const chosenRow = Math.max(0, Math.floor(choice.chosen / perRow));
  const top = Math.min(Math.max(0, chosenRow - height + 1), Math.max(0, rows - height));
  return Array.from({ length: Math.min(height, rows) }, (_, row) =>
    labels.slice((top + row) * perRow, (top + row + 1) * perRow).flatMap((label, column): Line => {
      const index = (top + row) * perRow + column;
      const isLast = column === perRow - 1 || index === labels.length - 1;
      return [
        span(label, index === choice.chosen ? "chosen" : "plain"),
        span(isLast ? "" : padTo(label, each).slice(label.length)),
      ];
    }),
  );
};

/** Lines under the prompt: never more than these, so that an answer above stays in sight. */
const mostHintLines = 3;
const mostCandidateLines = 6;

const underPrompt = (
  editor: Editor,
  commands: readonly UiCommand[],
  width: number,
  height: number,
): readonly Line[] => {
  if (height < 1) return [];
  if (editor.choice !== undefined) return candidateLines(editor.choice, width, Math.min(height, mostCandidateLines));
  if (editor.search !== undefined) return [];
  const hint = hintFor(editor.text, editor.cursor, commands);
  if (hint === undefined) return [];
  // A quoted word may be a part of a key that the whole line shows to be one.
  const isKey = maskBegunKey(editor.text) !== editor.text;
  const lines = wrapTo((isKey ? maskDigits : maskBegunKey)(printable(hint.text)), width);
  const most = Math.min(height, mostHintLines);
  return lines
    .slice(0, most)
    .map((line, index) => [
      span(
        index === most - 1 && lines.length > most ? `${cutTo(line, Math.max(1, width - 1)).replace(/…$/, "")}…` : line,
        hint.kind === "problem" ? "warning" : "quiet",
      ),
    ]);
};

const waitingLine = (count: number, width: number): readonly Line[] => {
  if (count === 0) return [];
  const text = `${count} more pasted ${count === 1 ? "line" : "lines"}: Enter runs this one, Ctrl-C drops them all`;
  return [[span(cutTo(text, width), "warning")]];
};

const seconds = (elapsedMs: number): number => Math.floor(elapsedMs / 1000);
const spinner = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧"];

/** Shorter answers than this show no status at all: it would only flicker. */
const quietMs = 250;

const statusLine = (activity: Activity, width: number): Line | undefined => {
  if (activity.kind === "page") {
    const texts = ["-- more --  space or enter: next page, q: stop", "-- more --  space next, q stop", "--more--", "-"];
    return [span(texts.find((text) => cellsOf(text) <= width) ?? "-", "chosen")];
  }
  if (activity.kind !== "running" || activity.elapsedMs < quietMs) return undefined;
  const elapsed = seconds(activity.elapsedMs);
  const mark = spinner[elapsed % spinner.length] ?? "";
  const queued = activity.queued === 0 ? "" : `, ${activity.queued} more to run`;
  const text = activity.stopping
    ? `${mark} Stopping… ${elapsed} s`
    : `${mark} Running… ${elapsed} s${queued}  (Ctrl-C stops)`;
  return [span(cutTo(text, width), "quiet")];
};

/** The live part for a size: at most one row less than the screen, because Ink clears the whole screen for a full one. */
export const viewLive = (
  view: {
    readonly activity: Activity;
    readonly editor: Editor;
    readonly prompt: Prompt;
    readonly commands: readonly UiCommand[];
    /** Pasted lines behind the one in the editor. */
    readonly waiting: number;
  },
  size: Size,
): Live => {
  const width = size.columns;
  const height = Math.max(1, size.rows - 1);
  const { activity, editor } = view;
  if (activity.kind === "left") return { lines: [], cursor: undefined };
  if (activity.kind !== "prompt") {
    const status = statusLine(activity, width);
    const lines = status === undefined ? [] : [status];
    if (editor.text === "" || activity.kind === "page" || height < 2) return { lines, cursor: undefined };
    // Type-ahead: shown where it will stand once the answer is there.
    const typed = windowOf(editorFlow(editor, "> ", "", width), height - lines.length);
    return {
      lines: [...lines, ...typed.lines],
      cursor: { x: typed.cursor.x, y: typed.cursor.y + lines.length },
    };
  }
  const completeHere = (text: string, cursor: number) => complete(text, cursor, view.commands);
  const prompt =
    editor.search === undefined
      ? promptText(view.prompt, width)
      : `(search) ${cutTo(maskBegunKey(editor.search.query), Math.max(1, Math.floor(width / 3)))}: `;
  const typed = windowOf(editorFlow(editor, prompt, ghostOf(editor, completeHere), width), height);
  const waiting = height > typed.lines.length ? waitingLine(view.waiting, width) : [];
  const under = underPrompt(editor, view.commands, width, height - typed.lines.length - waiting.length);
  return { lines: [...typed.lines, ...waiting, ...under], cursor: typed.cursor };
};

/** What stays of a line that was run. */
export const echoLine = (prompt: Prompt, line: string, columns: number, mark = ""): Line => [
  span(promptText(prompt, columns), "prompt"),
  span(maskBegunKey(line)),
  span(mark, "quiet"),
];
