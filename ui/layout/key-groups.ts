/** A recovery key: eight groups of six digits and the separators between them. */
const keyLength = 55;
const groupLength = 7;
const groupCount = 8;

/** Only the length tells: a cell of a secret column holds glyphs, and nobody here knows what they stand for. */
export const isWholeKey = (cell: string): boolean => Array.from(cell).length === keyLength;

/** The eight groups, each with its separator, in order. */
export const keyGroups = (cell: string): readonly string[] => {
  const glyphs = Array.from(cell);
  return Array.from({ length: groupCount }, (_, group) =>
    glyphs.slice(group * groupLength, (group + 1) * groupLength).join(""),
  );
};

/** How many groups go on a line so that the lines are about equally long (at 40 columns 4 and 4, not 5 and 3). */
export const groupsPerLine = (width: number): number => {
  if (width >= keyLength) return groupCount;
  const most = Math.max(1, Math.floor(width / groupLength));
  return Math.ceil(groupCount / Math.ceil(groupCount / most));
};

/** A secret cell in lines of at most `width` columns: every glyph once, in order, a key broken between groups only. */
export const secretLines = (cell: string, width: number): readonly string[] => {
  const glyphs = Array.from(cell);
  if (glyphs.length <= width) return [cell];
  const step =
    glyphs.length === keyLength && width >= groupLength ? groupsPerLine(width) * groupLength : Math.max(1, width);
  return Array.from({ length: Math.ceil(glyphs.length / step) }, (_, line) =>
    glyphs.slice(line * step, (line + 1) * step).join(""),
  );
};
