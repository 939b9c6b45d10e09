/** What a piece of text means; how it looks is decided here alone. */
export type Tone = "plain" | "prompt" | "name" | "key" | "quiet" | "error" | "warning" | "chosen" | "match";

export interface Span {
  readonly text: string;
  readonly tone: Tone;
}
export type Line = readonly Span[];

export const span = (text: string, tone: Tone = "plain"): Span => ({ text, tone });
export const lineText = (line: Line): string => line.map(({ text }) => text).join("");

interface Look {
  readonly color?: "red" | "green" | "yellow" | "cyan";
  readonly bold?: boolean;
  readonly dimColor?: boolean;
  readonly underline?: boolean;
}

/** As properties of Ink's `<Text>`. The sixteen colours only: they follow the person's own theme. */
export const looks: Readonly<Record<Tone, Look>> = {
  plain: {},
  prompt: { color: "green" },
  name: { color: "cyan" },
  key: { bold: true },
  quiet: { dimColor: true },
  error: { color: "red" },
  warning: { color: "yellow" },
  // Not reverse video: that is the mark of the prompts which the server itself paints.
  chosen: { underline: true },
  // What was typed, in what was found.
  match: { color: "yellow", bold: true },
};

const colorCodes = { red: 31, green: 32, yellow: 33, cyan: 36 } as const;

/** For lines printed once above Ink's live part. */
export const toTerminal = (line: Line, color: boolean): string =>
  line
    .map(({ text, tone }) => {
      const look = looks[tone];
      const codes = [
        look.color === undefined ? "" : String(colorCodes[look.color]),
        look.bold === true ? "1" : "",
        look.dimColor === true ? "2" : "",
        look.underline === true ? "4" : "",
      ].filter((code) => code !== "");
      return !color || codes.length === 0 || text === "" ? text : `\u001b[${codes.join(";")}m${text}\u001b[0m`;
    })
    .join("")
    .trimEnd();
