/**
 * What shows nothing of its own, or makes text look other than it is: control and format characters, lone surrogates, line and
 * paragraph separators, and what Unicode lets a program ignore (Default_Ignorable_Code_Point, DerivedCoreProperties.txt:
 * variation selectors, Hangul fillers, tags, U+034F). U+FFF9 to U+FFFB mark annotations.
 */
const invisible = "\\p{Cc}\\p{Cf}\\p{Cs}\\p{Zl}\\p{Zp}\\p{Default_Ignorable_Code_Point}";

/**
 * Letters, marks and symbols without ink that Unicode doesn't call ignorable: the braille pattern without dots, the blanks of
 * Egyptian hieroglyphs, the Khitan filler, the joiners of Tifinagh and Brahmi, the null notehead.
 */
const inkless = "\\u2800\\u2d7f\\u{1107f}\\u{13441}\\u{13442}\\u{16fe4}\\u{1d159}";

/**
 * Signs that put the next letter under the one before (IndicSyllabicCategory.txt: Invisible_Stacker), and the joiners of SignWriting's
 * fills and turns. Where no letter of their kind stands on both sides they show nothing.
 */
const stackers =
  "\\u1039\\u17d2\\u1a60\\u1bab\\uaaf6\\u{10a3f}\\u{11133}\\u{113d0}\\u{1193e}\\u{11a47}\\u{11a99}\\u{11d45}\\u{11d97}\\u{11f42}\\u{1da9b}-\\u{1da9f}\\u{1daa1}-\\u{1daaf}";

// Variation selectors stay in texts, as emoji have them. In a name they are a trick.
const obeyed = new RegExp(`(?![\\ufe00-\\ufe0f])[${invisible}]`, "gu");
const unfitForNames = new RegExp(
  `[${invisible}${inkless}\\p{Co}\\p{Cn}]|(?<![\\p{Lo}\\p{M}])[${stackers}]|[${stackers}](?!\\p{Lo})`,
  "u",
);

/** The first character that no typed line may hold: invisible, or private use (on a screen a glyph for part of a key). */
export const findUnprintable = (text: string): string | undefined => (text.match(obeyed) ?? /\p{Co}/u.exec(text))?.[0];

/** Whether a name would look like another: it has a character without ink, or one that programs show as they like. */
export const isNameWithoutTricks = (name: string): boolean => !unfitForNames.test(name);

/** Takes private-use code points out of foreign text: on a screen they are glyphs, which stand for keys. */
export const withoutPrivateUse = (text: string): string => text.replace(/\p{Co}/gu, "");

/** Typed text without what no command line needs: invisible characters and private use. */
export const typable = (text: string): string => withoutPrivateUse(text.replace(obeyed, ""));

const picture = (character: string): string => {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  if (code === 0x7f) return "\u2421";
  return `\\u{${code.toString(16)}}`;
};

/**
 * Foreign text as one line that a terminal only shows, never obeys (a computer name may hold anything that a client once sent
 * to the site). Control characters become their pictures (U+2400 block), other invisible ones `\u{…}`.
 */
export const printable = (text: string): string => text.replace(obeyed, picture);

/** The same of a text whose line ends are ours. */
export const printableLines = (text: string): string => text.split("\n").map(printable).join("\n");
