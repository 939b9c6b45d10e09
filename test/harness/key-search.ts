import { closeSync, openSync, readFileSync, readSync } from "node:fs";

const windowDigits = 12;

/** Every run of 12 consecutive digits of the keys, hyphens left out, as numbers: below 2^53, and quick to compare. */
export const windowsOf = (keys: readonly string[]): ReadonlySet<number> => {
  const windows = new Set<number>();
  for (const key of keys) {
    const digits = key.replace(/\D/g, "");
    for (let at = 0; at + windowDigits <= digits.length; at += 1) {
      windows.add(Number(digits.slice(at, at + windowDigits)));
    }
  }
  return windows;
};

const keep = 10 ** (windowDigits - 1);
/** Between two digits of one run: a hyphen or blank, and the zero bytes of UTF-16. */
const mostSkipped = 4;
const isSkipped = (byte: number): boolean => byte === 0x2d || byte === 0x20 || byte === 0;

/**
 * Which windows stand in these bytes: as ASCII, and as the UTF-16 that a JavaScript engine may keep strings in, with or
 * without separators. Whether two digits are a run is decided generously: a false alarm is a random match of 12 digits.
 */
export const findWindows = (bytes: Uint8Array, windows: ReadonlySet<number>): readonly number[] => {
  const found = new Set<number>();
  let window = 0;
  let digits = 0;
  let skipped = 0;
  for (const byte of bytes) {
    if (byte >= 0x30 && byte <= 0x39) {
      window = (window % keep) * 10 + (byte - 0x30);
      digits += 1;
      skipped = 0;
      if (digits >= windowDigits && windows.has(window)) found.add(window);
    } else if (digits > 0) {
      skipped += 1;
      if (!isSkipped(byte) || skipped > mostSkipped) digits = 0;
    }
  }
  return [...found];
};

const pageBytes = 4096;
const mostPages = 2048;
const [present, swapped] = [1n << 63n, 1n << 62n];

interface Region {
  readonly from: number;
  readonly to: number;
}

/** Mappings that can hold what the process made: all but unwritten parts of files (its program, its libraries). */
const regionsOf = (pid: number): readonly Region[] =>
  readFileSync(`/proc/${pid}/maps`, "utf8")
    .split("\n")
    .flatMap((line) => {
      const match = /^([0-9a-f]+)-([0-9a-f]+) r(.)\S+ \S+ \S+ (\d+)\s*(.*)$/.exec(line);
      if (match === null || match[5]?.startsWith("[v")) return [];
      if (match[4] !== "0" && match[3] !== "w") return [];
      return [{ from: Number.parseInt(match[1] ?? "", 16), to: Number.parseInt(match[2] ?? "", 16) }];
    });

/** Runs of pages of a region that are in memory or swapped out; the rest was never touched (proc_pid_pagemap(5)). */
const touchedRuns = (pagemap: number, { from, to }: Region): readonly Region[] => {
  const runs: Region[] = [];
  for (let at = from; at < to; at += mostPages * pageBytes) {
    const pages = Math.min(mostPages, (to - at) / pageBytes);
    const entries = Buffer.alloc(pages * 8);
    readSync(pagemap, entries, 0, entries.length, (at / pageBytes) * 8);
    let start = -1;
    for (let page = 0; page <= pages; page += 1) {
      const touched = page < pages && (entries.readBigUInt64LE(page * 8) & (present | swapped)) !== 0n;
      if (touched && start < 0) start = page;
      if (!touched && start >= 0) {
        runs.push({ from: at + start * pageBytes, to: at + page * pageBytes });
        start = -1;
      }
    }
  }
  return runs;
};

/** Calls `look` with everything a process has in its memory, in pieces (Linux: /proc/PID/maps, pagemap and mem). */
export const forEachMemoryPiece = (pid: number, look: (bytes: Buffer) => void): void => {
  const pagemap = openSync(`/proc/${pid}/pagemap`, "r");
  const memory = openSync(`/proc/${pid}/mem`, "r");
  try {
    for (const region of regionsOf(pid)) {
      // What was reserved and never touched is left out: WebAssembly alone reserves gigabytes.
      for (const { from, to } of touchedRuns(pagemap, region)) {
        const piece = Buffer.alloc(to - from);
        look(piece.subarray(0, readSync(memory, piece, 0, piece.length, from)));
      }
    }
  } finally {
    closeSync(memory);
    closeSync(pagemap);
  }
};
