import { maskBegunKey } from "../../server/model/key-shaped-text.ts";
import { plural } from "../../server/model/plural.ts";
import { canonicalSearchPiece } from "../../server/model/search-piece.ts";
import type { Live, Size } from "../layout/live.ts";
import type { UiCandidate, UiLookUp } from "../protocol.ts";
import { cellsOf, cutTo, graphemes, wrapTo } from "../text/cells.ts";
import { printable } from "../text/printable.ts";
import { type Line, span } from "../text/tones.ts";
import { candidateLines, detailOf, factsOf, headerLine, layCandidates } from "./candidate-lines.ts";
import { findIn, type Found } from "./found.ts";
import { chosenRow, type AskedReason, type LookUpState } from "./press-look-up.ts";
import { reasonChoices } from "./reasons.ts";

/** The first text that fits; the last one is cut. */
const fitting = (texts: readonly string[], width: number): string =>
  texts.find((text) => cellsOf(text) <= width) ?? cutTo(texts.at(-1) ?? "", width);

const quiet = (text: string): Line => [span(text, "quiet")];

/** What is typed behind its label: its end, where it doesn't fit. One row, so that what is below it never jumps. */
const inputLine = (label: string, typed: string, width: number): { readonly line: Line; readonly cursorX: number } => {
  const shown = cellsOf(label) > width / 2 ? "> " : label;
  let text = maskBegunKey(printable(typed));
  while (text !== "" && cellsOf(shown + text) >= width) text = graphemes(text).slice(1).join("");
  return {
    line: [span(cutTo(shown, width), "prompt"), span(text)],
    cursorX: Math.min(width - 1, cellsOf(shown + text)),
  };
};

/** The rows around the chosen one. */
const firstShown = (chosen: number, count: number, height: number): number =>
  Math.min(Math.max(0, chosen - height + 1), Math.max(0, count - height));

/** Gives lines out to the parts of a screen, the most important first. */
const budgetOf = (height: number): ((wanted: number) => number) => {
  let left = height;
  return (wanted) => {
    const given = Math.max(0, Math.min(wanted, left));
    left -= given;
    return given;
  };
};

const shortestInWords = ({
  minimumNameCharacters: letters,
  minimumIdCharacters: digits,
}: UiLookUp): readonly string[] => [
  `Type digits of the key id (${digits} or more), or a piece of the computer's name (${letters} or more).`,
  `${digits} digits of the key id, or ${letters} letters of the name.`,
  `${digits} digits of the id, ${letters} of the name`,
];

const neitherInWords = [
  "No computer's name and no key id has such a character in it.",
  "No name and no key id has this in it.",
  "Not in any name or id.",
];

const statusLines = (state: LookUpState, found: Found, rights: UiLookUp, width: number): readonly Line[] => {
  const piece = canonicalSearchPiece(state.piece);
  if (state.piece.trim() !== "" && piece === undefined) return [[span(fitting(neitherInWords, width), "warning")]];
  if (found.message !== "") {
    const tone = found.rows.length === 0 ? "error" : "warning";
    return wrapTo(printable(found.message), width).map((line) => [span(line, tone)]);
  }
  if (!found.isAnswer) {
    if (state.isSlow) return [quiet(fitting(["Searching…"], width))];
    return [quiet(found.question === undefined ? fitting(shortestInWords(rights), width) : "")];
  }
  const { length } = found.rows;
  if (length > 0) return [quiet(fitting([`${plural(length, "key")} found.`, String(length)], width))];
  const text = maskBegunKey(printable(piece ?? ""));
  // Too short for an id, it was looked for in names only: to say more would send people the wrong way.
  if (text.length < rights.minimumIdCharacters && /^[0-9A-F]+$/i.test(text)) {
    const more = `No name has ${text} in it. For a key id, type ${rights.minimumIdCharacters} digits or more.`;
    return wrapTo(more, width).map((line) => [span(line, "warning")]);
  }
  if (/^[0-9A-F-]*[OIL][0-9A-FOIL-]*$/i.test(text) && /\d/.test(text))
    return wrapTo(`Nothing has ${text} in it. In a key id, O is a zero, and I and L are a one.`, width).map((line) => [
      span(line, "warning"),
    ]);
  const nothing = `No computer's name and no key id has ${text} in it.`;
  return [[span(fitting([nothing, "Nothing has this in it."], width), "warning")]];
};

const searchHelp = [
  "Enter: its reason, then the key   ↑ ↓ choose   Ctrl-U clear   Esc back to the prompt",
  "Enter show  ↑ ↓ choose  Esc back",
  "Enter  ↑ ↓  Esc",
];

const viewSearch = (state: LookUpState, rights: UiLookUp, { columns: width, rows: screenRows }: Size): Live => {
  const found = findIn(state.answers, state.piece, rights);
  const input = inputLine("Look up: ", state.piece, width);
  const chosen = chosenRow(found.rows, state.chosen);
  const row = found.rows[chosen];
  const layout = layCandidates(found.rows, found.at, width);
  const status = statusLines(state, found, rights, width);
  const detail = row === undefined || layout.isWhole ? [] : detailOf(row, found.at, width);
  // One row less than the screen, because Ink clears the whole screen for a full one.
  const take = budgetOf(Math.max(1, screenRows - 1));
  take(1);
  const first = take(Math.min(1, found.rows.length));
  const [statusCount, helpCount] = [take(Math.min(1, status.length)), take(1)];
  const detailCount = take(detail.length);
  const moreStatus = take(Math.min(2, status.length - statusCount));
  const headerCount = found.rows.length > 0 && screenRows >= 16 ? take(1) : 0;
  const height = first + take(found.rows.length - first);
  const top = firstShown(chosen, found.rows.length, height);
  const shown = found.rows.slice(top, top + height);
  return {
    lines: [
      input.line,
      ...headerLine(layout, width).slice(0, headerCount),
      ...candidateLines(shown, layout, { chosen: chosen - top, typed: state.piece, width }),
      ...detail.slice(0, detailCount),
      ...status.slice(0, statusCount + moreStatus),
      ...[quiet(fitting(searchHelp, width))].slice(0, helpCount),
    ],
    cursor: { x: input.cursorX, y: 0 },
  };
};

const reasonHelp = (isNeeded: boolean): readonly string[] =>
  isNeeded
    ? [
        "Number, first letters or ↑ ↓, then Enter   Esc back to the keys",
        "Number or ↑ ↓, Enter  Esc back",
        "Enter  Esc",
      ]
    : [
        "Number, first letters or ↑ ↓, then Enter   Enter alone: no reason   Esc back to the keys",
        "Number or ↑ ↓, Enter   Enter alone: no reason   Esc back",
        "Enter alone: no reason  Esc back",
        "Enter  Esc",
      ];

/** What the reason is for: as much of it as fits. */
const titleOf = (row: UiCandidate, at: string, width: number): Line => {
  const name = printable(row.computerName);
  const [id, state] = [printable(row.keyId), factsOf(row, at).slice(1).join(", ")];
  const short = `${id.slice(0, 8)}…`;
  return [
    span(
      fitting(
        [
          `Key ${id} of ${name}, ${state}`,
          `Key ${short} of ${name}, ${state}`,
          `${short} ${name}, ${state}`,
          `${short} ${name}, ${printable(row.state).toLowerCase()}`,
          `${short} ${name}`,
        ],
        width,
      ),
      "name",
    ),
  ];
};

const viewReason = (asked: AskedReason, state: LookUpState, rights: UiLookUp, size: Size): Live => {
  const { columns: width, rows: screenRows } = size;
  const reason = rights.reason ?? { offered: [], isNeeded: false, isListed: false };
  const choices = reasonChoices(asked.text, reason, state.lastReason);
  const input = inputLine("Reason: ", asked.text, width);
  const take = budgetOf(Math.max(1, screenRows - 1));
  take(1);
  const first = take(Math.min(1, choices.length));
  const problem = asked.problem === "" ? [] : wrapTo(asked.problem, width).map((line): Line => [span(line, "warning")]);
  const problemCount = take(Math.min(2, problem.length));
  const titleCount = take(1);
  const helpCount = take(1);
  const height = first + take(choices.length - first);
  const top = firstShown(asked.chosen, choices.length, height);
  const marks = Math.max(0, ...choices.map(({ mark }) => mark.length));
  const lines = choices.slice(top, top + height).map(({ value, mark }, index): Line => {
    const isChosen = top + index === asked.chosen;
    const start = `${isChosen ? "> " : "  "}${mark.padStart(marks)}  `;
    const text = cutTo(maskBegunKey(printable(value)), Math.max(1, width - start.length));
    return [span(cutTo(start, width), "quiet"), span(start.length < width ? text : "", isChosen ? "chosen" : "plain")];
  });
  return {
    lines: [
      ...[titleOf(asked.candidate, asked.at, width)].slice(0, titleCount),
      input.line,
      ...lines,
      ...problem.slice(0, problemCount),
      ...[quiet(fitting(reasonHelp(reason.isNeeded), width))].slice(0, helpCount),
    ],
    cursor: { x: input.cursorX, y: titleCount },
  };
};

/** The look-up as it stands, never taller than the screen. */
export const viewLookUp = (state: LookUpState, rights: UiLookUp, size: Size): Live =>
  state.reason === undefined ? viewSearch(state, rights, size) : viewReason(state.reason, state, rights, size);
