/** A terminal must not act on what a client put into a name: everything but printable text is escaped. */
export const plain = (text: string): string =>
  text.replace(
    /[^\P{C}\n]|[\u2028\u2029]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
