/**
 * Colours (SGR) and hyperlinks (OSC 8): the two that Ink lets through (it strips the other sequences) and that could
 * make foreign text look like the endpoint's own. C1 forms included.
 */
const stylesAndLinks =
  /(?:\u001b\[|\u009b)[\d:;]*m|(?:\u001b\]|\u009d)8;[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)/g;

/** Control, invisible and reordering characters, and surrogates without their half. Variation selectors stay: emoji. */
const unprintable =
  /(?![\ufe00-\ufe0f])[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}\u061c\ufff9-\ufffb]/gu;

const picture = (character: string): string => {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  if (code === 0x7f) return "\u2421";
  return `\\u{${code.toString(16)}}`;
};

/**
 * Foreign text as one line that a terminal only shows, never obeys. The server does the same; a second wall, because
 * this is the last place before the person's terminal and costs nothing.
 */
export const printable = (text: string): string => text.replace(stylesAndLinks, "").replace(unprintable, picture);

/** Foreign text in lines: line ends and tabs keep their meaning. */
export const printableLines = (text: string): readonly string[] =>
  text
    .replace(/\r\n?/g, "\n")
    .replace(/\n$/, "")
    .split("\n")
    .map((line) => printable(line.replace(/\t/g, "    ")));

/**
 * Typed text without what no command line needs: control and invisible characters, and private-use code points, which
 * stand for the characters of a recovery key on a screen (design §5).
 */
export const typable = (text: string): string => text.replace(unprintable, "").replace(/\p{Co}/gu, "");
