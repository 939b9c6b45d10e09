import { EndpointError } from "../../errors.ts";

/** Code points of one supplementary private-use plane; the last two of a plane are noncharacters (Unicode 23.7). */
const planeSize = 0xfffe;
const firstPlane = 0xf_0000;
const secondPlane = 0x10_0000;

/** Two planes: 2,383 keys of 55 characters at a time. */
export const glyphCapacity = 2 * planeSize;

/** Characters of a recovery key: 48 digits and 7 hyphens. */
const keyLength = 55;
const capacityInKeys = Math.floor(glyphCapacity / keyLength);

/** @throws EndpointError LimitsExceeded when so many keys can't stand in one answer on a screen */
export const refuseTooManyKeys = (count: number): void => {
  if (count > capacityInKeys) throw tooManyKeys();
};

const tooManyKeys = (): EndpointError =>
  new EndpointError(
    "LimitsExceeded",
    `More than ${capacityInKeys} keys in one answer can't be shown on a screen. Ask for fewer, or run the command without a terminal.`,
  );

const codePointOf = (slot: number): number => (slot < planeSize ? firstPlane + slot : secondPlane + (slot - planeSize));

const slotOf = (codePoint: number): number | undefined => {
  if (codePoint >= firstPlane && codePoint < firstPlane + planeSize) return codePoint - firstPlane;
  if (codePoint >= secondPlane && codePoint < secondPlane + planeSize) return planeSize + (codePoint - secondPlane);
  return undefined;
};

interface Run {
  readonly answerId: number;
  readonly length: number;
}

/**
 * The glyphs of one session: which private-use code point stands for which character of a disclosed key.
 *
 * Slots are handed out round and round, and given back in the order they were handed out: so a code point that was just
 * released is the last to be used again, and a late repaint shows nothing rather than another key.
 */
export class Glyphs {
  readonly #characters = new Map<number, string>();
  readonly #runs: Run[] = [];
  #first = 0;
  #used = 0;

  /**
   * Binds a disclosed text to glyphs, one code point a character.
   *
   * @param answerId the answer that shows it; `release` goes by it
   * @throws EndpointError LimitsExceeded when too many keys are on the screen
   */
  reveal(text: string, answerId: number): string {
    const characters = Array.from(text);
    if (this.#used + characters.length > glyphCapacity) {
      throw tooManyKeys();
    }
    let glyphs = "";
    for (const character of characters) {
      const slot = (this.#first + this.#used) % glyphCapacity;
      // A key is digits and hyphens. Anything a terminal might obey must not get past the painter by way of a glyph.
      this.#characters.set(slot, /^[\x20-\x7e]$/.test(character) ? character : "?");
      this.#used += 1;
      glyphs += String.fromCodePoint(codePointOf(slot));
    }
    this.#runs.push({ answerId, length: characters.length });
    return glyphs;
  }

  /** Whether `text` can be revealed without releasing anything. */
  hasRoomFor(text: string): boolean {
    // UTF-16 units are at least as many as code points.
    return this.#used + text.length <= glyphCapacity;
  }

  /** Nothing painted from now on uses glyphs of the answers up to and including this one. */
  release(upToAnswerId: number): void {
    while ((this.#runs[0]?.answerId ?? Infinity) <= upToAnswerId) this.releaseOldest();
  }

  /** @returns false when nothing was bound */
  releaseOldest(): boolean {
    const run = this.#runs.shift();
    if (run === undefined) return false;
    for (let offset = 0; offset < run.length; offset += 1) {
      this.#characters.delete((this.#first + offset) % glyphCapacity);
    }
    this.#first = (this.#first + run.length) % glyphCapacity;
    this.#used -= run.length;
    return true;
  }

  /** Whatever is bound stands for nothing readable any more; its code points stay taken, so that no later key comes up in an old place. */
  blank(): void {
    for (const slot of this.#characters.keys()) this.#characters.set(slot, "•");
  }

  /** The character a code point stands for now, if it is a glyph in use. */
  characterFor(codePoint: number): string | undefined {
    const slot = slotOf(codePoint);
    return slot === undefined ? undefined : this.#characters.get(slot);
  }
}

/** Whether a code point is private use, in any of the three areas. */
export const isPrivateUse = (codePoint: number): boolean =>
  (codePoint >= 0xe000 && codePoint <= 0xf8ff) || codePoint >= firstPlane;
