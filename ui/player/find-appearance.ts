import type { Cursor } from "./cursor.ts";

/** Recorded time between two words about how far a search is. */
const tellEveryMs = 60_000;

export interface Search {
  /** In lower case. */
  readonly needle: string;
  readonly fromStart: boolean;
}

/**
 * Plays on from where a cursor stands until a text comes onto the screen, wherever on it, however it was painted: key by key, or by
 * cursor movements. What was there before counts once it was gone, or at once `fromStart`. Case doesn't count.
 *
 * @returns when; undefined when the end came first, or nobody wants to know any more
 */
export const findAppearance = async (
  cursor: Cursor,
  { needle, fromStart }: Search,
  isWanted: () => boolean,
  onProgress: (timeMs: number) => void,
): Promise<number | undefined> => {
  const isThere = (): boolean => cursor.emulator.text().toLowerCase().includes(needle);
  let wasThere = !fromStart && isThere();
  let found: number | undefined;
  let told = cursor.timeMs;
  await cursor.playLooking(
    () => isWanted() && found === undefined,
    (timeMs) => {
      const there = isThere();
      if (there && !wasThere) found ??= timeMs;
      wasThere = there;
      if (timeMs - told < tellEveryMs) return;
      told = timeMs;
      onProgress(timeMs);
    },
  );
  return found;
};
