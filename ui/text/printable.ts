import { printable as visible } from "../../server/model/harmless-text.ts";

/**
 * Colours (SGR) and hyperlinks (OSC 8): the two that Ink lets through (it strips the other sequences) and that could
 * make foreign text look like the endpoint's own. C1 forms included.
 */
const stylesAndLinks =
  /(?:\u001b\[|\u009b)[\d:;]*m|(?:\u001b\]|\u009d)8;[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)/g;

/**
 * Foreign text as one line that a terminal only shows, never obeys. The server does the same; a second wall, because
 * this is the last place before the person's terminal and costs nothing.
 */
export const printable = (text: string): string => visible(text.replace(stylesAndLinks, ""));

/** Foreign text in lines: line ends and tabs keep their meaning. */
export const printableLines = (text: string): readonly string[] =>
  text
    .replace(/\r\n?/g, "\n")
    .replace(/\n$/, "")
    .split("\n")
    .map((line) => printable(line.replace(/\t/g, "    ")));
