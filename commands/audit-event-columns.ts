import type { ReviewedEvent } from "../server/command/review-port.ts";
import { isForPeople, type OutputFormat } from "../server/command/define-command.ts";
import type { ColumnOf } from "../server/command/rows-command.ts";

/** A table is to be read: what is longer is cut there, visibly; the formats for scripts have all of it. */
const longestDetail = { onScreen: 120, elsewhere: 400 };

/** The keys of a disclosure come first, with room of their own for three: a reviewer looks for them. */
const longestKeys = 500;

/** Ids that say nothing to a reader. */
const forScriptsOnly = new Set(["connectionId", "invocationId"]);

const inWords = (value: unknown): string => {
  if (typeof value === "string") return value;
  if (!Array.isArray(value) || value.length <= 3) return JSON.stringify(value);
  return `${JSON.stringify(value.slice(0, 3)).slice(0, -1)},… ${value.length} in all]`;
};

const cut = (text: string, longest: number): string =>
  text.length <= longest ? text : `${text.slice(0, longest).replace(/[\ud800-\udbff]$/, "")}…`;

const forPeople = ({ keys, ...rest }: ReviewedEvent["fields"], longest: number): string => {
  const text = Object.entries(rest)
    .filter(([name]) => !forScriptsOnly.has(name))
    .map(([name, value]) => `${name}=${inWords(value)}`)
    .join(" ");
  return keys === undefined ? cut(text, longest) : `${cut(`keys=${inWords(keys)}`, longestKeys)} ${cut(text, longest)}`;
};

interface Shown {
  readonly format: OutputFormat | undefined;
  readonly interactive: boolean;
}

/** In the formats for scripts the last column is everything else that the event has, as JSON. */
export const eventColumns = ({ format, interactive }: Shown): readonly ColumnOf<ReviewedEvent>[] => {
  const longest = interactive ? longestDetail.onScreen : longestDetail.elsewhere;
  return [
    { name: "Seq", width: 8, least: 6, cell: ({ seq }) => seq },
    { name: "At", width: 24, least: 24, cell: ({ at }) => at },
    { name: "Type", width: 18, least: 18, cell: ({ type }) => type },
    { name: "User", width: 10, least: 10, cell: ({ user }) => user },
    { name: "SessionId", width: 18, least: 18, cell: ({ sessionId }) => sessionId },
    {
      name: "Detail",
      width: 40,
      cell: ({ fields }) => (isForPeople(format) ? forPeople(fields, longest) : JSON.stringify(fields)),
    },
  ];
};
