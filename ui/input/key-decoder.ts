import { typable } from "../../server/model/harmless-text.ts";
import { holdsPastedLines } from "../../server/model/pasted-lines.ts";

type KeyName =
  | "enter"
  | "tab"
  | "backspace"
  | "delete"
  | "escape"
  | "up"
  | "down"
  | "left"
  | "right"
  | "home"
  | "end"
  | "page-up"
  | "page-down"
  | "f2";

/** What a person did. `pasted` keys were never pressed: they fill lines, and run none. `paste-end` follows the last one. */
export type KeyEvent =
  | { readonly type: "text"; readonly text: string; readonly pasted: boolean }
  | {
      readonly type: "key";
      /** A named key, or one character together with `ctrl` or `alt`. */
      readonly name: KeyName | (string & {});
      readonly ctrl: boolean;
      readonly alt: boolean;
      readonly shift: boolean;
      readonly pasted: boolean;
    };

export interface KeyDecoder {
  /** @param linesWait pasted lines wait for Enter: more of them may come */
  push(bytes: Uint8Array, linesWait?: boolean): readonly KeyEvent[];
  /** `true` while an escape sequence may still go on: call `flush` when nothing came for a moment. */
  readonly pending: boolean;
  /** Takes a lone ESC for the Escape key and gives up a sequence that never ended. */
  flush(): readonly KeyEvent[];
}

const pasteBegin = "\u001b[200~";
const pasteEnd = "\u001b[201~";
/** No honest sequence is longer; a longer one is dropped. */
const longestSequence = 64;

const letterKeys: Readonly<Record<string, KeyName>> = {
  A: "up",
  B: "down",
  C: "right",
  D: "left",
  F: "end",
  H: "home",
  M: "enter",
  Q: "f2",
  a: "up",
  b: "down",
  c: "right",
  d: "left",
};
/** xterm, linux console, rxvt and PuTTY number them differently; these are all of them. */
const numberKeys: Readonly<Record<string, KeyName>> = {
  1: "home",
  3: "delete",
  4: "end",
  5: "page-up",
  6: "page-down",
  7: "home",
  8: "end",
  12: "f2",
};

const key = (
  name: string,
  modifiers: Partial<Record<"ctrl" | "alt" | "shift" | "pasted", boolean>> = {},
): KeyEvent => ({
  type: "key",
  name,
  ctrl: false,
  alt: false,
  shift: false,
  pasted: false,
  ...modifiers,
});

/** `ESC [ 1 ; 5 C` and the like: xterm adds 1 to a sum of shift 1, alt 2, ctrl 4, meta 8. */
const modifiersOf = (parameter: string | undefined): { ctrl: boolean; alt: boolean; shift: boolean } => {
  const sum = Math.max(0, (Number.parseInt(parameter ?? "1", 10) || 1) - 1);
  return { ctrl: (sum & 4) !== 0, alt: (sum & 10) !== 0, shift: (sum & 1) !== 0 };
};

const csiKey = (parameters: string, final: string): KeyEvent | undefined => {
  const [first = "", second] = parameters.split(";");
  if (final === "Z") return key("tab", { shift: true });
  if (final === "~" || final === "^" || final === "$" || final === "@") {
    const name = numberKeys[first];
    // rxvt marks ctrl and shift by the last character.
    const own = { ctrl: final === "^" || final === "@", shift: final === "$" || final === "@" };
    if (name === undefined) return undefined;
    return key(name, final === "~" ? modifiersOf(second) : own);
  }
  const name = letterKeys[final];
  if (name === undefined || name === "enter") return undefined;
  // rxvt's shifted arrows have no number; `ESC [ ? 1 ; 2 c` is a terminal describing itself.
  if (/[a-d]/.test(final) && parameters !== "") return undefined;
  return key(name, /[a-d]/.test(final) ? { shift: true } : modifiersOf(second));
};

const controlKey = (character: string, alt = false): KeyEvent => {
  if (character === "\r" || character === "\n") return key("enter", { alt });
  if (character === "\t") return key("tab", { alt });
  if (character === "\u007f" || character === "\b") return key("backspace", { alt });
  return key(String.fromCharCode(character.charCodeAt(0) + 0x60), { ctrl: true, alt });
};

/** Pasted text: lines end in enter, a tab is a blank (completion must not start), other controls are dropped. */
const pastedEvents = (text: string): KeyEvent[] =>
  text.split(/(\r\n?|\n)/).flatMap((part): KeyEvent[] => {
    if (/^[\r\n]/.test(part)) return [key("enter", { pasted: true })];
    const kept = typable(part.replace(/\t/g, " "));
    return kept === "" ? [] : [{ type: "text", text: kept, pasted: true }];
  });

interface Taken {
  readonly events: readonly KeyEvent[];
  /** How much of the text was used; 0: wait for more. */
  readonly length: number;
  readonly startsPaste?: boolean;
}

const takeEscape = (text: string): Taken => {
  const second = text[1];
  if (second === undefined) return { events: [], length: 0 };
  if (second === "\u001b") return { events: [key("escape")], length: 1 };
  if (second === "[") {
    // The linux console sends F1 to F5 as ESC [ [ A and on: most are not ours, but all of it must go.
    if (text[2] === "[")
      return text.length < 4 ? { events: [], length: 0 } : { events: text[3] === "B" ? [key("f2")] : [], length: 4 };
    const match = /^[\u0030-\u003f]*[\u0020-\u0023\u0025-\u002f]*/.exec(text.slice(2, 2 + longestSequence));
    const parameters = match?.[0] ?? "";
    const final = text[2 + parameters.length];
    if (final === undefined) return { events: [], length: parameters.length >= longestSequence ? text.length : 0 };
    const length = 3 + parameters.length;
    if (final === "~" && parameters === "200") return { events: [], length, startsPaste: true };
    // No final byte (ECMA-48 5.4; `$` is rxvt's): the sequence was never finished, and the character counts for itself.
    if (!/[@-~$]/.test(final)) return { events: [], length: length - 1 };
    const event = csiKey(parameters, final);
    return { events: event === undefined ? [] : [event], length };
  }
  if (second === "O") {
    const match = /^\u001bO([\d;]{0,8})(.?)/su.exec(text);
    const final = match?.[2] ?? "";
    if (match === null || final === "") return { events: [], length: 0 };
    const name = letterKeys[final];
    const modifiers = /[a-d]/.test(final) ? { ctrl: true } : modifiersOf(match[1]?.split(";").at(-1) || undefined);
    return { events: name === undefined ? [] : [key(name, modifiers)], length: match[0].length };
  }
  const character = String.fromCodePoint(text.codePointAt(1) ?? 0);
  if (character < "\u0020" || character === "\u007f") return { events: [controlKey(character, true)], length: 2 };
  return { events: [key(character.toLowerCase(), { alt: true })], length: 1 + character.length };
};

/**
 * Turns what a terminal sends into keys and text.
 *
 * Not Ink's own `useInput`: it gives a whole chunk as one event (`one\rtwo\r` is no Enter at all), and `ESC[200~`
 * without its end blocks all further input for good, Ctrl-C included. Here a paste is handed on as it arrives, and
 * anything a paste can't hold ends it: ESC, Ctrl-C, Ctrl-D.
 */
export const createKeyDecoder = (): KeyDecoder => {
  const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
  let text = "";
  let pasting = false;
  /** What the terminal sent at once holds several lines, and it didn't say that they were pasted. */
  let pastedUnsaid = false;
  let lastWasReturn = false;

  const takePaste = (): KeyEvent[] => {
    const stop = /[\u001b\u0003\u0004]/.exec(text)?.index ?? text.length;
    // A return at the end may be half of \r\n: it already counts, and the line feed that follows must not.
    const part = text.slice(lastWasReturn && text.startsWith("\n") ? 1 : 0, stop);
    if (stop > 0) lastWasReturn = text[stop - 1] === "\r";
    const events = pastedEvents(part);
    text = text.slice(stop);
    if (text === "") return events;
    if (text.startsWith(pasteEnd)) {
      text = text.slice(pasteEnd.length);
      pasting = false;
      events.push(key("paste-end", { pasted: true }));
    } else if (!pasteEnd.startsWith(text)) pasting = false;
    return events;
  };

  const take = (): KeyEvent[] => {
    const events: KeyEvent[] = [];
    while (text !== "") {
      if (pasting) {
        events.push(...takePaste());
        // The beginning of an end mark, cut off by the end of the chunk.
        if (pasting && text !== "") return events;
        continue;
      }
      const first = text[0] ?? "";
      if (first === "\u001b") {
        lastWasReturn = false;
        const taken = takeEscape(text);
        if (taken.length === 0) return events;
        events.push(...taken.events);
        text = text.slice(taken.length);
        pasting = taken.startsPaste === true;
        if (pasting) pastedUnsaid = false;
        continue;
      }
      if (first < "\u0020" || first === "\u007f") {
        if (pastedUnsaid && /[\r\n\t]/.test(first))
          events.push(...pastedEvents(first === "\n" && lastWasReturn ? "" : first));
        else if (!(first === "\n" && lastWasReturn)) events.push(controlKey(first));
        lastWasReturn = first === "\r";
        text = text.slice(1);
        continue;
      }
      lastWasReturn = false;
      const run = /^[^\u0000-\u001f\u007f]+/.exec(text)?.[0] ?? first;
      const kept = typable(run);
      if (kept !== "") events.push({ type: "text", text: kept, pasted: pastedUnsaid });
      text = text.slice(run.length);
    }
    return events;
  };

  return {
    push(bytes, linesWait = false) {
      const chunk = utf8.decode(bytes, { stream: true });
      pastedUnsaid = !pasting && !chunk.includes(pasteBegin) && holdsPastedLines(chunk, linesWait);
      text += chunk;
      return take();
    },
    get pending() {
      return text !== "";
    },
    flush() {
      const lone = text === "\u001b" && !pasting;
      // A paste can't hold an ESC that is not its end.
      if (text !== "") pasting = false;
      text = "";
      return lone ? [key("escape")] : [];
    },
  };
};
