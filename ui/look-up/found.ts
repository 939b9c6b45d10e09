import { foldComputerName } from "../../server/model/computer-name.ts";
import { canonicalSearchPiece, readSearchPiece } from "../../server/model/search-piece.ts";
import type { ToUi, UiCandidate, UiLookUp } from "../protocol.ts";

export type Candidates = Omit<ToUi & { readonly type: "candidates" }, "type">;

/** What the server answered since the look-up was opened, oldest first. */
export type Answers = readonly Candidates[];

/** More than anybody asks for one call. */
const mostAnswers = 20;

export const withAnswer = (answers: Answers, answer: Candidates): Answers => [
  ...answers.filter(({ piece }) => piece !== answer.piece).slice(1 - mostAnswers),
  answer,
];

/** What the piece is looked for as, in capitals; undefined where it can be in no name and no key id, or is too short. */
const needlesOf = (piece: string, rights: UiLookUp): { readonly name?: string; readonly keyId?: string } => {
  const { name, keyId } = readSearchPiece(piece, rights);
  return {
    ...(name === undefined ? {} : { name: foldComputerName(name) }),
    ...(keyId === undefined ? {} : { keyId }),
  };
};

/** The part of a candidate's name and of its id that was typed, to be marked. */
export const typedParts = (
  { computerName, keyId }: Pick<UiCandidate, "computerName" | "keyId">,
  typed: string,
): { readonly name: readonly [number, number] | undefined; readonly keyId: readonly [number, number] | undefined } => {
  const piece = canonicalSearchPiece(typed) ?? "";
  const within = (text: string, part: string): readonly [number, number] | undefined => {
    const capitals = text.toUpperCase();
    // Some letters have more than one capital: then no place in the one is a place in the other.
    const at = part === "" || capitals.length !== text.length ? -1 : capitals.indexOf(part.toUpperCase());
    return at < 0 ? undefined : [at, at + part.length];
  };
  return { name: within(computerName, piece), keyId: within(keyId, piece.replace(/^\{|\}$/g, "")) };
};

const matches = ({ computerName, keyId }: UiCandidate, needles: ReturnType<typeof needlesOf>): boolean =>
  (needles.name !== undefined && foldComputerName(computerName).includes(needles.name)) ||
  (needles.keyId !== undefined && keyId.toUpperCase().includes(needles.keyId));

/**
 * Whether an answer holds everything that the longer piece could find. Of plain letters only, as a site may take others for the same that
 * are not.
 */
const covers = (answer: Candidates, piece: string, rights: UiLookUp): boolean => {
  const [before, now] = [needlesOf(answer.piece, rights), needlesOf(piece, rights)];
  const isPart = (part: string | undefined, whole: string | undefined): boolean =>
    whole === undefined || (part !== undefined && whole.includes(part));
  return (
    answer.message === "" &&
    /^[\u0021-\u007e]+$/.test(piece) &&
    isPart(before.name, now.name) &&
    isPart(before.keyId, now.keyId)
  );
};

/** Ids that begin with what was typed come first: callers read a key id from its beginning. Of one computer the newest comes first. */
const inOrder = (rows: readonly UiCandidate[], piece: string): readonly UiCandidate[] => {
  const begins = ({ keyId }: UiCandidate): number => (keyId.toUpperCase().startsWith(piece.toUpperCase()) ? 0 : 1);
  const names = [...new Set(rows.map(({ computerName }) => computerName))];
  const place = ({ computerName }: UiCandidate): number => names.indexOf(computerName);
  const newer = (a: UiCandidate, b: UiCandidate): number =>
    a.updated === b.updated ? 0 : a.updated > b.updated ? -1 : 1;
  return rows.toSorted((a, b) => begins(a) - begins(b) || place(a) - place(b) || newer(a, b));
};

export interface Found {
  readonly rows: readonly UiCandidate[];
  /** When the site was asked. */
  readonly at: string;
  /** What the server said of it. */
  readonly message: string;
  /** These rows answer the piece, and not only an earlier one. */
  readonly isAnswer: boolean;
  /** To be asked, as nothing here answers it. */
  readonly question: string | undefined;
}

const nothing: Found = { rows: [], at: "", message: "", isAnswer: false, question: undefined };

/** What is known of a piece. A longer piece than one that was answered in full is answered by it, and costs no search. */
export const findIn = (answers: Answers, typed: string, rights: UiLookUp): Found => {
  const piece = canonicalSearchPiece(typed);
  if (piece === undefined) return nothing;
  const needles = needlesOf(piece, rights);
  if (needles.name === undefined && needles.keyId === undefined) return nothing;
  const own = answers.find((answer) => answer.piece === piece);
  if (own !== undefined) return { ...own, rows: inOrder(own.rows, piece), isAnswer: true, question: undefined };
  const whole = answers.findLast((answer) => covers(answer, piece, rights));
  const last = whole ?? answers.at(-1);
  if (last === undefined) return { ...nothing, question: piece };
  const rows = inOrder(
    last.rows.filter((row) => matches(row, needles)),
    piece,
  );
  // Where all of some rows fall away, the site is asked after all: it may compare otherwise.
  const isAnswer = whole !== undefined && (rows.length > 0 || whole.rows.length === 0);
  return { rows, at: last.at, message: "", isAnswer, question: isAnswer ? undefined : piece };
};
