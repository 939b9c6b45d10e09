/** `a, b or c`; beyond `most` words the first of them, and how many more there are. */
export const listInWords = (words: readonly string[], last: string, most = Infinity): string => {
  if (words.length > most) return `${words.slice(0, most).join(", ")} and ${words.length - most} more`;
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")}${last}${words.at(-1) ?? ""}`;
};

/** Three by name, and how many more there are. */
export const inFew = (words: readonly string[]): string => listInWords(words, ", ", 3);

/** The first of some sentences, and how many more there are. */
export const firstOf = ([first = "", ...more]: readonly string[]): string =>
  more.length === 0 ? first : `${first}, and ${more.length} more`;
