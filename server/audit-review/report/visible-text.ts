/**
 * Text of the record as a reader may see it: what is invisible, reorders its neighbours (RTL overrides) or is no character at
 * all stands as `\u{…}`. Otherwise a computer's name could pose as another's. Runs in the browser too.
 */
export const visibleText = (text: string): string =>
  text.replace(/[^\P{C}\n]|[\u2028\u2029]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
