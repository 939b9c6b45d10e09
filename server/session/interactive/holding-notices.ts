/** More than anybody reads; the record has them all. */
const mostHeld = 20;

/**
 * Keeps notices from a locked screen: they name users, computers and requests. Whoever unlocks it is told the newest of them.
 *
 * @param show tells the user at once
 */
export const holdingNotices = (show: (text: string) => void) => {
  let held: string[] | undefined;
  let left = 0;
  return {
    tell(text: string): void {
      if (held === undefined) {
        show(text);
        return;
      }
      held.push(text);
      if (held.length > mostHeld) {
        held.shift();
        left += 1;
      }
    },
    /** From the moment at which the screen begins to lock. */
    hold(): void {
      held ??= [];
    },
    release(): void {
      const missed = held ?? [];
      if (left > 0) show(`${left} older notices came while the screen was locked, and are left out.`);
      held = undefined;
      left = 0;
      missed.forEach(show);
    },
  };
};
