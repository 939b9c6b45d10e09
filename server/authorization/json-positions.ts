/** Where things stand in a JSON text. */
export interface JsonPositions {
  /** Line, from 1, of the value (or, for a member, its key) at a path; of its nearest ancestor where it is not there. */
  readonly lineOf: (path: readonly PropertyKey[]) => number;
  /** Where the value at a path begins and ends (not included) in the text; `undefined` where it is not there. */
  readonly spanOf: (path: readonly PropertyKey[]) => readonly [number, number] | undefined;
  /** Members whose name stands twice in one object: JSON.parse silently keeps the last. */
  readonly duplicates: readonly (readonly PropertyKey[])[];
  /** Members named `__proto__`: zod skips them without a word. */
  readonly prototypes: readonly (readonly PropertyKey[])[];
}

const keyOf = (path: readonly PropertyKey[]): string => JSON.stringify(path.map(String));

/** One string, or one piece of punctuation, or one run of anything else but blanks. Sticky: the text is read once. */
const token = /"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^\s{}[\]:,"]+/gy;
const blanks = /\s*/gy;

interface Open {
  readonly kind: "{" | "[";
  readonly start: number;
  next: PropertyKey;
  expectsKey: boolean;
  readonly names: Set<string>;
}

/** Finds the place of every value of a text that JSON.parse has accepted. */
export const findJsonPositions = (text: string): JsonPositions => {
  const lines = new Map<string, number>();
  const spans = new Map<string, readonly [number, number]>();
  const duplicates: PropertyKey[][] = [];
  const prototypes: PropertyKey[][] = [];
  const open: Open[] = [];
  let at = 0;
  let line = 1;
  const path = (): PropertyKey[] => open.map(({ next }) => next);
  const note = (): void => {
    if (!lines.has(keyOf(path()))) lines.set(keyOf(path()), line);
  };
  for (;;) {
    blanks.lastIndex = at;
    const blank = blanks.exec(text)?.[0] ?? "";
    line += blank.split("\n").length - 1;
    token.lastIndex = at + blank.length;
    const found = token.exec(text)?.[0];
    if (found === undefined) break;
    at += blank.length + found.length;
    const inside = open.at(-1);
    const start = at - found.length;
    if (found === "}" || found === "]") {
      const closed = open.pop();
      if (closed !== undefined) spans.set(keyOf(path()), [closed.start, at]);
    } else if (found === ",") {
      if (inside?.kind === "[") inside.next = Number(inside.next) + 1;
      else if (inside !== undefined) inside.expectsKey = true;
    } else if (inside?.kind === "{" && inside.expectsKey) {
      const name: unknown = JSON.parse(found);
      inside.next = String(name);
      inside.expectsKey = false;
      if (inside.names.has(inside.next)) duplicates.push(path());
      if (inside.next === "__proto__") prototypes.push(path());
      inside.names.add(inside.next);
      note();
    } else if (found !== ":") {
      note();
      if (found === "{" || found === "[") {
        const isObject = found === "{";
        open.push({ kind: found, start, next: isObject ? "" : 0, expectsKey: isObject, names: new Set() });
      } else {
        spans.set(keyOf(path()), [start, at]);
      }
    }
  }
  return {
    lineOf: (wanted) => {
      for (let length = wanted.length; length >= 0; length -= 1) {
        const found = lines.get(keyOf(wanted.slice(0, length)));
        if (found !== undefined) return found;
      }
      return 1;
    },
    spanOf: (wanted) => spans.get(keyOf(wanted)),
    duplicates,
    prototypes,
  };
};
