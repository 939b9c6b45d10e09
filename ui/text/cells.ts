import stringWidth from "string-width";

const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });

/** What a person takes for one character; glyphs of a recovery key are one each. */
export const graphemes = (text: string): readonly string[] =>
  /^[\u0020-\u007e]*$/.test(text) ? text.split("") : Array.from(segmenter.segment(text), ({ segment }) => segment);

/** How many terminal columns a text takes. */
export const cellsOf = (text: string): number => (/^[\u0020-\u007e]*$/.test(text) ? text.length : stringWidth(text));

/** A text cut to a width, with an ellipsis where something is missing. Never used for a recovery key. */
export const cutTo = (text: string, width: number): string => {
  if (cellsOf(text) <= width) return text;
  if (width < 1) return "";
  let cut = "";
  let used = 1;
  for (const grapheme of graphemes(text)) {
    used += cellsOf(grapheme);
    if (used > width) break;
    cut += grapheme;
  }
  return `${cut}…`;
};

export const padTo = (text: string, width: number): string => text + " ".repeat(Math.max(0, width - cellsOf(text)));

/** Joints of names, GUIDs and paths, where a word too long for a line may be parted. */
const isJoint = (before: string | undefined, grapheme: string): boolean =>
  /^[-,/\\]$/.test(grapheme) && before !== undefined && /^[\p{L}\p{N}]/u.test(before);

/**
 * A text in lines of at most `width` columns, broken at blanks, else at joints, else anywhere. Nothing but the blanks at
 * a break is lost; later lines start with `hanging` blanks.
 */
export const wrapTo = (text: string, width: number, hanging = 0): readonly string[] => {
  if (cellsOf(text) <= width) return [text.trimEnd()];
  const indent = hanging < width / 2 ? hanging : 0;
  const lines: string[] = [];
  let line: string[] = [];
  let used = 0;
  /** Where the text of the line begins. */
  let from = 0;
  /** Index in `line` after the last blank and after the last joint. */
  let blankAt = 0;
  let jointAt = 0;
  const flush = (cut: number): void => {
    const rest = line.slice(cut);
    lines.push(line.slice(0, cut).join("").trimEnd());
    line = [...Array.from({ length: indent }, () => " "), ...rest];
    from = indent;
    used = cellsOf(line.join(""));
    blankAt = 0;
    jointAt = 0;
  };
  for (const grapheme of graphemes(text)) {
    const wide = cellsOf(grapheme);
    const blank = /^\s$/.test(grapheme);
    if (used + wide > width && line.length > from) {
      flush(blank ? line.length : blankAt || jointAt || line.length);
      // A blank that doesn't fit is the break itself.
      if (blank) continue;
    }
    const before = line.length > from ? line.at(-1) : undefined;
    line.push(grapheme);
    used += wide;
    // Leading blanks are an indent, not a place to break.
    if (blank && line.slice(from).some((each) => each !== " ")) blankAt = line.length;
    else if (isJoint(before, grapheme)) jointAt = line.length;
  }
  if (line.length > from || lines.length === 0) lines.push(line.join("").trimEnd());
  return lines;
};
