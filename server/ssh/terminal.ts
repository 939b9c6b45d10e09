import { holdsKey } from "../model/key-shaped-text.ts";
import type { PseudoTerminal, TerminalSize } from "../session/contract.ts";

const largest = 1000;
/** TERM names a terminfo entry; anything else is not one. */
const termName = /^[A-Za-z0-9][A-Za-z0-9+._-]{0,63}$/;
/** A transcript's header has it, so it must be no key that somebody pasted into the wrong variable. */
const isTermName = (raw: unknown): raw is string => typeof raw === "string" && termName.test(raw) && !holdsKey(raw);

const clamp = (raw: unknown, unset: number): number => {
  if (typeof raw !== "number" || !Number.isInteger(raw) || raw <= 0) return unset;
  return Math.min(raw, largest);
};

const field = (raw: unknown, name: string): unknown =>
  typeof raw === "object" && raw !== null ? Reflect.get(raw, name) : undefined;

/** Reads the size in `pty-req` and `window-change` (RFC 4254 §6.2, §6.7): 0 means "not told". */
export const decodeSize = (raw: unknown): TerminalSize => ({
  columns: clamp(field(raw, "cols"), 80),
  rows: clamp(field(raw, "rows"), 24),
});

export const decodePseudoTerminal = (raw: unknown): PseudoTerminal => {
  const term = field(raw, "term");
  return { ...decodeSize(raw), term: isTermName(term) ? term : "" };
};

export interface Resizes {
  change(size: TerminalSize): void;
  listen(listener: (size: TerminalSize) => void): void;
  stop(): void;
}

/**
 * Passes on window changes, the newest only, at most one each interval: a repaint for each of the thousands of changes a
 * client can send in a second would cost us what costs it nothing.
 */
export const createResizes = (initial: TerminalSize, intervalMs: number): Resizes => {
  let told = initial;
  let newest = initial;
  let listener: ((size: TerminalSize) => void) | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const schedule = (delayMs: number): void => {
    if (timer !== undefined || listener === undefined || stopped) return;
    if (told.columns === newest.columns && told.rows === newest.rows) return;
    timer = setTimeout(() => {
      timer = undefined;
      told = newest;
      listener?.(told);
      schedule(intervalMs);
    }, delayMs);
  };
  return {
    change: (size) => {
      newest = size;
      schedule(intervalMs);
    },
    listen: (given) => {
      listener = given;
      schedule(0);
    },
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
};
