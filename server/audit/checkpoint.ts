import type { KeyObject } from "node:crypto";
import { closeSync, readSync } from "node:fs";
import { wholeLinesOf } from "./log-lines.ts";
import { openOfRecord } from "./open-of-record.ts";
import { decodeNote, signNote, type SignedNote } from "./signed-note.ts";

/** What a checkpoint says (C2SP tlog-checkpoint): this log had this many lines, and this was the root over them. */
export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
}

/**
 * The log's name: made of its first line, so that it needs no file of its own, survives a change of key, and no two logs
 * share it.
 */
export const originOf = (firstLeaf: Buffer): string => `pep-audit/${firstLeaf.toString("hex", 0, 8)}`;

export const signCheckpoint = ({ origin, size, root }: Checkpoint, keys: readonly KeyObject[]): string =>
  signNote(`${origin}\n${size}\n${root.toString("base64")}\n`, origin, keys);

/** @throws Error when it is not a checkpoint; says nothing about its signatures */
export const decodeCheckpoint = (raw: string): Checkpoint & { readonly note: SignedNote } => {
  const note = decodeNote(raw);
  const [, origin, decimal, base64] = /^(\S+)\n(0|[1-9]\d{0,14})\n([A-Za-z0-9+/]{43}=)\n$/.exec(note.text) ?? [];
  if (origin === undefined || decimal === undefined || base64 === undefined) throw new Error("not a checkpoint");
  return { origin, size: Number(decimal), root: Buffer.from(base64, "base64"), note };
};

/**
 * The checkpoints of `audit/checkpoint-history`, one after the other, streamed. Three lines, an empty one, and signatures; what
 * a crash left of a torn one is passed over.
 */
export const historyNotes = (path: string): Generator<string> => notesIn(wholeLinesOf(path));

const notesIn = function* (lines: Iterable<string>): Generator<string> {
  let text: string[] = [];
  let signatures: string[] = [];
  const note = (): string[] => (signatures.length === 0 ? [] : [[...text, ...signatures, ""].join("\n")]);
  for (const line of lines) {
    if (line.startsWith("\u2014 ") && text.length === 4) {
      signatures.push(line);
      continue;
    }
    if (signatures.length > 0) {
      yield* note();
      text = [];
      signatures = [];
    }
    text = [...text.slice(-3), line];
  }
  yield* note();
};

/** Holds the newest checkpoint, with as many signatures as it may have. */
const tailBytes = 64 * 1024;
/** What a disk that fails may leave behind it is less. */
const longestTailBytes = 64 * 1024 * 1024;

/**
 * The last of `historyNotes`, read from the end: a checkpoint is made each 30 s for years.
 *
 * @returns undefined when there is none in the file
 */
export const lastHistoryNote = (path: string): string | undefined => {
  const { fd, bytes } = openOfRecord(path);
  try {
    for (let length = Math.min(tailBytes, bytes); ; length = Math.min(length * 8, bytes)) {
      const tail = Buffer.alloc(length);
      for (let read = 0; read < length;) {
        const more = readSync(fd, tail, read, length - read, bytes - length + read);
        if (more === 0) throw new Error(`${path} became shorter while it was read`);
        read += more;
      }
      const lines = tail.toString("utf8").split("\n").slice(0, -1);
      // What stands first is the rest of a line, which could pass for a whole one.
      const note = [...notesIn(length < bytes ? lines.slice(1) : lines)].at(-1);
      if (note !== undefined || length === bytes) return note;
      if (length * 8 > longestTailBytes) throw new Error(`${path} ends in what is no checkpoint`);
    }
  } finally {
    closeSync(fd);
  }
};
