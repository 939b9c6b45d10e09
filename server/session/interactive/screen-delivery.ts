import { piecesOf, type UiColumn } from "../../../ui/protocol.ts";
import { stopped } from "../../errors.ts";
import type { TerminalSize } from "../contract.ts";
import type { Answer, Delivery, DisclosedCell, KeyOffer, OfferedRow } from "../delivery.ts";
import { encodeAnswer, notForTerminal } from "../format/encode.ts";
import { isForPeople, type Column } from "../../command/define-command.ts";
import { printable } from "../../model/harmless-text.ts";
import { refuseTooManyKeys } from "./glyphs.ts";
import type { Reading } from "./key-card/key-card.ts";
import type { ShownKey } from "./key-card/press-card.ts";
import { disclosureLabel, label, screenText } from "./screen-text.ts";
import type { ScreenFace } from "./screen.ts";
import { type TranscriptTurns, feedTranscript } from "./transcript-turns.ts";
import type { TrustedPath } from "./trusted-path.ts";

type RowsAnswer = Extract<Answer, { kind: "rows" }>;

/** Lines of a page that are not rows: the table's head and rule, the question for more, the prompt. */
const linesBesidesRows = 4;
const gap = 2;
/** The UI wraps a column no narrower than this (ui/layout/table.ts); where that is too wide it writes a list. */
const leastWidth = 16;
/** UTF-16 units in one message: far below the largest frame, whatever they cost in UTF-8. */
const textPerMessage = 64 * 1024;
/** A cell longer than this is cut on a screen, visibly; exec has it whole. */
const longestCell = 8 * 1024;

export interface ScreenDeliveryParts {
  readonly answerId: number;
  readonly face: ScreenFace;
  readonly size: () => TerminalSize;
  readonly trustedPath: TrustedPath;
  readonly signal: AbortSignal;
  /** The user asked for the next page. Rejects with `OperationStopped` when they did not. */
  readonly nextPage: () => Promise<void>;
  /** The user chose one of so many rows; `undefined`: no more. Rejects with `OperationStopped` when they stopped it. */
  readonly chosen: (count: number) => Promise<number | undefined>;
  /** Shows one key by itself until it is hidden. */
  readonly showKey: (shown: Omit<ShownKey, "endpointName">) => Promise<Reading>;
  /** What the UI process asks for while a transcript is watched. */
  readonly transcriptTurns: TranscriptTurns;
  /** Marks a disclosure in the transcript. */
  readonly mark: (label: string) => Promise<void>;
  /** The answer is for the screen itself. */
  readonly onAction: (action: "clear" | "exit") => void;
}

const screenCell = (cell: DisclosedCell | undefined): string => {
  if (cell === undefined || cell === null) return "";
  if (typeof cell === "boolean") return cell ? "True" : "False";
  // Private-use code points were taken out of everything but keys when the row was disclosed.
  const text = printable(String(cell));
  return text.length <= longestCell ? text : `${text.slice(0, longestCell).replace(/[\ud800-\udbff]$/, "")}…`;
};

/** Rows in messages that fit a frame. */
const partsOf = (rows: readonly (readonly string[])[]): (readonly string[])[][] => {
  const parts: (readonly string[])[][] = [];
  let room = 0;
  for (const row of rows) {
    const size = row.reduce((sum, cell) => sum + cell.length, 0);
    if (size > room) {
      parts.push([]);
      room = textPerMessage;
    }
    parts.at(-1)?.push(row);
    room -= size;
  }
  return parts;
};

const uiColumns = (columns: readonly Column[]): UiColumn[] =>
  columns.map(({ name, width, secret }) => ({
    name: label(name),
    width: Math.max(width, name.length),
    secret: secret === true,
  }));

/** How the rows of one answer lie on a screen. */
const layOut = (answer: RowsAnswer, size: () => TerminalSize) => {
  const columns = uiColumns(answer.columns);
  const tableWidth = columns.reduce((sum, { width }) => sum + width + gap, -gap);
  const fits = (): boolean => tableWidth <= size().columns;
  const showsKeys = columns.some(({ secret }) => secret);
  // The UI narrows and wraps columns of words itself; a key is never cut, so a table with one becomes a list, as in `format/`.
  const least = columns.reduce((sum, { name, width }) => sum + Math.min(width, Math.max(leastWidth, name.length)), 0);
  const cantNarrow = (): boolean => least + gap * (columns.length - 1) > size().columns;
  const isList = (): boolean => answer.format === "list" || (!fits() && (showsKeys || cantNarrow()));
  const list = isList();
  return {
    columns,
    list,
    /** Asked anew for each page: the window may have become narrower, and a table with keys a list. */
    linesPerRow: (): number => (list || isList() ? columns.length + 1 : fits() ? 1 : 2),
  };
};

/** Lets a person choose from keys, and shows the chosen one, until they want no more. One key alone is shown at once. */
const offerKeys = async (
  { columns, rows }: KeyOffer,
  { answerId: id, face, chosen, showKey }: ScreenDeliveryParts,
  throwIfStopped: () => void,
): Promise<void> => {
  const show = async ({ keyId, computerName, cells, open }: OfferedRow): Promise<void> => {
    throwIfStopped();
    const facts = columns
      .map(({ name }, index) => [name, screenCell(cells[index])] as const)
      .filter(([, value]) => value !== "" && value !== keyId && value !== computerName);
    const reading = await showKey({ keyId, computerName, facts, key: await open() });
    // What stays of it: a person who comes back to their screen sees that it was theirs.
    const readBack = reading === "read back" ? ", and was read back right" : "";
    await face.ui.send({
      type: "text",
      id,
      text: `The key ${label(keyId)} of ${label(computerName)} was shown${readBack}.`,
    });
  };
  const [only, ...more] = rows;
  if (only !== undefined && more.length === 0) return show(only);
  const ofUi = uiColumns(columns);
  for (const part of partsOf(rows.map(({ cells }) => columns.map((_, index) => screenCell(cells[index])))))
    await face.ui.send({ type: "offer", id, columns: ofUi, rows: part });
  for (;;) {
    await face.ui.send({ type: "choose", id });
    const row = rows[(await chosen(rows.length)) ?? -1];
    if (row === undefined) return;
    await show(row);
  }
};

/** Shows answers on a screen, a page at a time: what the user does not page to is not even disclosed. */
export const createScreenDelivery = (parts: ScreenDeliveryParts): Delivery => {
  const { answerId: id, face, size, trustedPath, signal } = parts;
  let linesPerRow = (): number => 1;
  let rowsOnPage = 0;
  const pageRows = (): number => Math.max(1, Math.floor((size().rows - linesBesidesRows) / linesPerRow()));

  const throwIfStopped = (): void => {
    if (signal.aborted || !face.ui.isAlive) throw stopped();
  };

  const showText = async (text: string): Promise<void> => {
    for (const piece of piecesOf(text, textPerMessage)) {
      throwIfStopped();
      await face.ui.send({ type: "text", id, text: piece });
    }
  };

  const showRows = async (answer: RowsAnswer): Promise<void> => {
    const { columns, list, ...layout } = layOut(answer, size);
    ({ linesPerRow } = layout);
    await face.ui.send({ type: "table", id, columns, list });
    for await (const batch of answer.batches) {
      throwIfStopped();
      rowsOnPage += batch.length;
      const more = rowsOnPage >= pageRows() && answer.hasMore();
      const messages = partsOf(batch.map((row) => columns.map((_, index) => screenCell(row[index]))));
      for (const [index, rows] of messages.entries()) {
        await face.ui.send({ type: "rows", id, rows, more: more && index === messages.length - 1 });
      }
      if (more) {
        await parts.nextPage();
        rowsOnPage = 0;
      }
    }
  };

  return {
    how: "interactive",
    batchRows: () => Math.max(1, pageRows() - rowsOnPage),
    reveal: (text) => {
      throwIfStopped();
      return face.glyphs.reveal(text, id);
    },
    disclosed: (keyIds) => parts.mark(disclosureLabel(keyIds)),
    confirmBulk: async (count, secrets) => {
      // Known before anything is shown: refused whole, rather than after two thousand keys.
      refuseTooManyKeys(count);
      return count <= pageRows() || (await trustedPath.confirm(`Show ${count} ${secrets}?`, signal));
    },
    confirm: (question) => trustedPath.confirm(question, signal),
    tell: (text) => showText(screenText(text)),
    askPassword: (prompt, purpose) => trustedPath.askPassword(prompt, purpose, signal),
    choose: (offer) => offerKeys(offer, parts, throwIfStopped),
    async show(answer) {
      throwIfStopped();
      if (answer.kind === "session") parts.onAction(answer.action);
      else if (answer.kind === "transcript") await feedTranscript(answer.transcript, parts.transcriptTurns, parts);
      else if (answer.kind === "text") await showText(screenText(answer.text));
      else if (answer.kind === "bytes") throw notForTerminal();
      else if (isForPeople(answer.format)) {
        await showRows(answer);
      } else {
        for await (const piece of encodeAnswer(answer, { width: size().columns, terminal: true }))
          await showText(piece);
      }
      throwIfStopped();
      return {};
    },
  };
};
