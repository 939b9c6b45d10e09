import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

/** Says that a folder is ours to empty. Written first, so that an export that was interrupted can be made again. */
const marker = ".pep-report";
const markerText = "Made by pep audit export --html, which replaces all of this folder when it is run again.\n";
const ours = new Set([marker, "index.html", "sessions", "assets"]);

/** @returns why nothing may be written there; undefined when something may */
export const findObstacle = (folder: string): string | undefined => {
  if (!existsSync(folder)) return undefined;
  const names = readdirSync(folder);
  if (names.length === 0) return undefined;
  const markerPath = join(folder, marker);
  if (!existsSync(markerPath) || readFileSync(markerPath, "utf8") !== markerText) {
    return "it is not empty, and no report lies there that could be replaced";
  }
  const foreign = names.find((name) => !ours.has(name));
  return foreign === undefined ? undefined : `${foreign} in it is no part of a report`;
};

/** Makes an empty folder of it, with the marker. */
export const prepareFolder = (folder: string): void => {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700); // one that was there already
  // The index goes first: without it nobody takes what is left for a whole report.
  for (const name of ["index.html", "sessions", "assets"]) rmSync(join(folder, name), { recursive: true, force: true });
  rmSync(join(folder, marker), { force: true });
  writePieces(join(folder, marker), [markerText]);
  for (const name of ["sessions", "assets"]) mkdirSync(join(folder, name), { mode: 0o700 });
};

const enough = 256 * 1024;

/** Writes a new file, 0600, a piece at a time: a page may be larger than a string can be. */
export const writePieces = (path: string, pieces: Iterable<string>): void => {
  const fd = openSync(path, "wx", 0o600);
  const write = (text: string): void => {
    const bytes = Buffer.from(text);
    let written = 0;
    while (written < bytes.length) written += writeSync(fd, bytes, written);
  };
  try {
    let waiting = "";
    for (const piece of pieces) {
      waiting += piece;
      if (waiting.length < enough) continue;
      write(waiting);
      waiting = "";
    }
    write(waiting);
  } finally {
    closeSync(fd);
  }
};
