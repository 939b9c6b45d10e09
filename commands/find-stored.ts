import type { EstimateContext } from "../server/command/define-command.ts";
import type { RecoveryKeyQuery } from "../server/command/site-database.ts";
import { listInWords } from "../server/model/list-in-words.ts";

/** Beyond these a list helps nobody to choose. */
const mostNamesakes = 10;

/** What names are stored as. */
export interface StoredNames {
  readonly stored: readonly string[];
  /** Of all that are stored. */
  readonly rows: number;
  readonly missing: readonly string[];
  /** A sentence for each name that may be several computers'. */
  readonly ambiguous: readonly string[];
  /** A sentence for each name that is stored as another, or as another too. */
  readonly notes: readonly string[];
}

/** What a computer must have to count. */
export interface Counted {
  readonly what: { readonly one: string; readonly several: string };
  readonly countOf: (computerName: string) => Promise<number>;
}

export const keysCounted = (query: RecoveryKeyQuery, { siteDatabase, signal }: EstimateContext): Counted => ({
  what: { one: "key", several: "keys" },
  countOf: (name) => siteDatabase.countRecoveryKeys({ ...query, computerNames: [name] }, signal),
});

/**
 * Finds the stored computers that names mean: the very name, else the one that is the short form of it or has it as its short form. Of
 * several none is chosen. A computer counts where it has what is asked for, so that what a role hides makes no name ambiguous.
 */
export const findStored = async (
  names: readonly string[],
  { what, countOf }: Counted,
  { siteDatabase, signal }: EstimateContext,
): Promise<StoredNames> => {
  /** With how many keys or protectors. By the name, which may be asked for in both forms. */
  const stored = new Map<string, number>();
  const [missing, ambiguous, notes]: [string[], string[], string[]] = [[], [], []];
  for (const name of names) {
    const { same, other } = await siteDatabase.findComputers(name, signal);
    const own = same.length === 0 ? 0 : await countOf(name);
    const namesakes: { readonly name: string; readonly keys: number }[] = [];
    for (const one of other) {
      const keys = await countOf(one);
      if (keys > 0) namesakes.push({ name: one, keys });
    }
    const words = namesakes.map((one) => one.name);
    const [only, ...more] = namesakes;
    if (own > 0) {
      stored.set(name, own);
      if (only !== undefined)
        notes.push(`There are also ${what.several} of ${listInWords(words, " and ", mostNamesakes)}.`);
    } else if (only === undefined) missing.push(name);
    else if (more.length > 0)
      ambiguous.push(
        `${name} may be ${listInWords(words, " or ", mostNamesakes)}, so no ${what.one} of these is shown: give one of these names.`,
      );
    else {
      stored.set(only.name, only.keys);
      notes.push(`${name} is stored as ${only.name}.`);
    }
  }
  const rows = [...stored.values()].reduce((sum, keys) => sum + keys, 0);
  return { stored: [...stored.keys()], rows, missing, ambiguous, notes };
};
