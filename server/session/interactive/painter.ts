import { type Glyphs, isPrivateUse } from "./glyphs.ts";
import { allowedControlSequence, allowedEscape } from "./terminal-sequence.ts";
import { trustedMark } from "./screen-text.ts";

/** The same output twice: for the user's terminal, and for the record. They differ in the glyphs alone. */
export interface Painted {
  readonly shown: string;
  readonly recorded: string;
}

type State = "ground" | "escape" | "escape-intermediate" | "control" | "string";

/** Longer than any sequence that passes. */
const longestSequence = 64;
const mask = "•";

/** What a C1 control begins; terminals take U+009B for `ESC [` and so on (ECMA-48 §8.3). */
const stateAfterC1 = (code: number): State => {
  if (code === 0x9b) return "control";
  return code === 0x90 || code === 0x98 || (code >= 0x9d && code <= 0x9f) ? "string" : "ground";
};

const stateAfterEscape = (character: string): State => {
  if (character === "[") return "control";
  if (/^[P\]X^_]$/.test(character)) return "string"; // DCS, OSC, SOS, PM, APC
  return /^[ -/]$/.test(character) ? "escape-intermediate" : "ground";
};

/**
 * Takes what a UI process wrote and says what may be shown of it: puts the characters of disclosed keys in place of
 * their glyphs, and lets only harmless terminal sequences pass, each complete and written anew. A glyph inside a
 * sequence, or one that stands for nothing now, becomes nothing.
 *
 * A stream: state is kept between calls, so that where the bytes are cut makes no difference.
 */
export class Painter {
  readonly #glyphs: Glyphs;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #state: State = "ground";
  #sequence = "";

  constructor(glyphs: Glyphs) {
    this.#glyphs = glyphs;
  }

  paint(bytes: Uint8Array): Painted {
    return this.paintText(this.#decoder.decode(bytes, { stream: true }));
  }

  /** As `paint`, for text that is whole: no surrogate pair is cut at its ends. */
  paintText(text: string): Painted {
    let shown = "";
    let recorded = "";
    for (const character of text) {
      const code = character.codePointAt(0) ?? 0;
      const glyph = this.#state === "ground" && isPrivateUse(code) ? this.#glyphs.characterFor(code) : undefined;
      if (glyph !== undefined) {
        shown += glyph;
        recorded += mask;
        continue;
      }
      const passed = this.#next(character, code);
      shown += passed;
      recorded += passed;
    }
    return { shown, recorded };
  }

  /** One character into the state machine; what comes out of it, if anything. */
  #next(character: string, code: number): string {
    if (isPrivateUse(code)) return "";
    if (character === "\u001b") {
      // Also inside a string or a sequence: the terminal never saw the beginning, so what follows starts afresh.
      this.#state = "escape";
      return "";
    }
    switch (this.#state) {
      case "ground":
        return this.#ground(character, code);
      case "escape":
        this.#state = stateAfterEscape(character);
        this.#sequence = "";
        return this.#state === "ground" ? (allowedEscape(character) ?? "") : "";
      case "escape-intermediate":
        if (code >= 0x30) this.#state = "ground";
        return "";
      case "control":
        return this.#control(character, code);
      case "string":
        if (code === 0x07 || code === 0x9c || code === 0x18 || code === 0x1a) this.#state = "ground";
        return "";
    }
  }

  #ground(character: string, code: number): string {
    if (code >= 0x80 && code <= 0x9f) {
      this.#state = stateAfterC1(code);
      this.#sequence = "";
      return "";
    }
    // ENQ makes a terminal answer, SO and SI change its character set: of the controls only these four are needed.
    if (code < 0x20) return code === 0x0a || code === 0x0d || code === 0x09 || code === 0x08 ? character : "";
    return code === 0x7f || character === trustedMark ? "" : character;
  }

  #control(character: string, code: number): string {
    if (code === 0x18 || code === 0x1a) this.#state = "ground";
    if (code < 0x20 || code > 0x7e) return "";
    if (this.#sequence.length < longestSequence) this.#sequence += character;
    if (code < 0x40) return "";
    this.#state = "ground";
    return allowedControlSequence(this.#sequence) ?? "";
  }
}
