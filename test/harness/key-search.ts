import { closeSync, openSync, readFileSync, readSync } from "node:fs";

const windowDigits = 12;

/** Every run of 12 consecutive digits of the keys, hyphens left out. */
export const windowsOf = (keys: readonly string[]): ReadonlySet<string> => {
  const windows = new Set<string>();
  for (const key of keys) {
    const digits = key.replace(/\D/g, "");
    for (let at = 0; at + windowDigits <= digits.length; at += 1) windows.add(digits.slice(at, at + windowDigits));
  }
  return windows;
};

/** Runs of digits, with whatever separates groups on paper, on a screen or in a JSON string. */
const runs = /\d(?:[- ]?\d){11,}/g;

/**
 * Which windows stand in these bytes: as ASCII, and as the UTF-16 that a JavaScript engine may keep strings in.
 * Separators inside a run don't hide it.
 */
export const findWindows = (bytes: Buffer, windows: ReadonlySet<string>): readonly string[] => {
  const found = new Set<string>();
  const latin1 = bytes.toString("latin1");
  for (const text of [latin1, latin1.replaceAll("\0", "")]) {
    for (const [run] of text.matchAll(runs)) {
      const digits = run.replace(/\D/g, "");
      for (let at = 0; at + windowDigits <= digits.length; at += 1) {
        const window = digits.slice(at, at + windowDigits);
        if (windows.has(window)) found.add(window);
      }
    }
  }
  return [...found];
};

const pieceBytes = 8 * 1024 * 1024;

/** Calls `look` with the readable memory of a process, in pieces (Linux: /proc/PID/maps and /proc/PID/mem). */
export const forEachMemoryPiece = (pid: number, look: (bytes: Buffer) => void): void => {
  const regions = readFileSync(`/proc/${pid}/maps`, "utf8")
    .split("\n")
    .flatMap((line) => {
      const match = /^([0-9a-f]+)-([0-9a-f]+) r\S+ \S+ \S+ \S+\s*(.*)$/.exec(line);
      return match === null || match[3] === "[vvar]" || match[3] === "[vsyscall]"
        ? []
        : [{ from: Number.parseInt(match[1] ?? "", 16), to: Number.parseInt(match[2] ?? "", 16) }];
    });
  const memory = openSync(`/proc/${pid}/mem`, "r");
  try {
    for (const { from, to } of regions) {
      for (let at = from; at < to; at += pieceBytes) {
        const piece = Buffer.alloc(Math.min(pieceBytes, to - at));
        let read: number;
        try {
          read = readSync(memory, piece, 0, piece.length, at);
        } catch {
          break; // mapped, but not readable: a guard page or a file that became shorter
        }
        look(piece.subarray(0, read));
      }
    }
  } finally {
    closeSync(memory);
  }
};
