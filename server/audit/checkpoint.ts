import type { KeyObject } from "node:crypto";
import { piecesOf } from "./log-lines.ts";
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
export const historyNotes = function* (path: string): Generator<string> {
  let text: string[] = [];
  let signatures: string[] = [];
  const note = (): string[] => (signatures.length === 0 ? [] : [[...text, ...signatures, ""].join("\n")]);
  for (const { bytes, whole } of piecesOf(path)) {
    if (!whole) break;
    const line = bytes.toString("utf8");
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
