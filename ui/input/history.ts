import { holdsKey, wasMasked } from "../../server/model/key-shaped-text.ts";

const maximumLines = 200;

/** The lines of this session, oldest first. What looks like a recovery key never gets in. */
export type History = readonly string[];

export const remember = (history: History, line: string): History =>
  // The server masks the rest of a key that was begun.
  line.trim() === "" || line === history.at(-1) || holdsKey(line) || wasMasked(line)
    ? history
    : [...history, line].slice(-maximumLines);

/** The newest line before `before` that holds the words searched for, letter case aside. */
export const searchBack = (history: History, query: string, before: number): number | undefined => {
  if (query === "") return undefined;
  const at = history.slice(0, before).findLastIndex((line) => line.toLowerCase().includes(query.toLowerCase()));
  return at < 0 ? undefined : at;
};
