import { readdir, type FileHandle } from "node:fs/promises";
import { basename, join } from "node:path";
import { decodeCheckpoint } from "../audit/checkpoint.ts";
import { findSegments } from "../audit/log-lines.ts";
import { openFileOfRecord, readTextOfRecord } from "../audit/open-of-record.ts";
import { LogReader } from "../audit/log-reader.ts";
import { recordPaths, type RecordPaths } from "./record-paths.ts";
import { tarEnd, tarHeader, tarPadding } from "./tar.ts";

/** The archive's one folder, for `pep audit verify --data-dir pep-record`. */
const folder = "pep-record";
const blockBytes = 256 * 1024;

/** Can't stand inside a text of the log: its quotes would be escaped there. */
const namedTranscript = /"transcript":"([^"]{1,200})"/g;

/** A file's first bytes as the archive has them, whatever is appended meanwhile. */
async function* fileEntry(
  name: string,
  path: string,
  cutAt?: (file: FileHandle) => Promise<number>,
): AsyncGenerator<Uint8Array> {
  const file = await openFileOfRecord(path);
  try {
    const { size, mtime } = await file.stat();
    const bytes = cutAt === undefined ? size : await cutAt(file);
    yield tarHeader({ name: `${folder}/${name}`, bytes, modifiedAt: mtime });
    for (let at = 0; at < bytes;) {
      const block = Buffer.allocUnsafe(Math.min(blockBytes, bytes - at));
      const { bytesRead } = await file.read(block, 0, block.length, at);
      if (bytesRead === 0) throw new Error(`${name} became shorter while it was read`);
      at += bytesRead;
      yield block.subarray(0, bytesRead);
    }
    yield tarPadding(bytes);
  } finally {
    await file.close();
  }
}

async function* textEntry(name: string, text: string, modifiedAt: Date): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  yield tarHeader({ name: `${folder}/${name}`, bytes: bytes.length, modifiedAt });
  yield bytes;
  yield tarPadding(bytes.length);
}

/** Where the line after this many lines begins. */
const endOfLine = async (file: FileHandle, lines: number): Promise<number> => {
  const block = Buffer.allocUnsafe(blockBytes);
  let left = lines;
  for (let at = 0; left > 0;) {
    const { bytesRead } = await file.read(block, 0, block.length, at);
    if (bytesRead === 0) throw new Error("the log is shorter than its checkpoint");
    for (let end = block.indexOf(10); end >= 0 && end < bytesRead; end = block.indexOf(10, end + 1)) {
      left -= 1;
      if (left === 0) return at + end + 1;
    }
    at += bytesRead;
  }
  return 0;
};

/** Where the history ended when this checkpoint was the newest: near its end, and it may be long. */
const endOfNote = async (file: FileHandle, note: Buffer): Promise<number> => {
  const { size } = await file.stat();
  for (let length = Math.min(size, blockBytes); ; length = Math.min(size, length * 2)) {
    const tail = Buffer.alloc(length);
    await file.read(tail, 0, length, size - length);
    const at = tail.lastIndexOf(note);
    if (at >= 0) return size - length + at + note.length;
    if (length === size) throw new Error("audit/checkpoint is not in audit/checkpoint-history");
  }
};

/** Transcripts that events after the checkpoint name: of sessions that the archive knows nothing of. */
const namedAfter = async (directory: string, size: number, throughSeq: number): Promise<ReadonlySet<string>> => {
  const names = new Set<string>();
  const reader = new LogReader(directory, size + 1, "passed over");
  try {
    for (let lines = await reader.read(throughSeq); lines.length > 0; lines = await reader.read(throughSeq)) {
      for (const { bytes } of lines) {
        for (const [, name = ""] of bytes.toString("latin1").matchAll(namedTranscript)) names.add(basename(name));
      }
    }
    return names;
  } finally {
    await reader.close();
  }
};

async function* archive(
  paths: RecordPaths,
  transcripts: readonly string[],
  lastSeq: () => number,
): AsyncGenerator<Uint8Array> {
  const checkpoint = readTextOfRecord(paths.checkpoint);
  const { size } = decodeCheckpoint(checkpoint);
  yield* textEntry("audit/checkpoint", checkpoint, new Date());
  yield* fileEntry("audit/checkpoint-history", paths.history, (file) => endOfNote(file, Buffer.from(checkpoint)));
  yield* fileEntry("log-key.pub", paths.publicKey);
  const segments = findSegments(paths.log).filter(({ firstSeq }) => firstSeq <= size);
  for (const [index, { name, firstSeq, pruned }] of segments.entries()) {
    const isLast = index === segments.length - 1 && !pruned;
    const cutAt = isLast ? (file: FileHandle) => endOfLine(file, size - firstSeq + 1) : undefined;
    yield* fileEntry(`audit/log/${name}`, join(paths.log, name), cutAt);
  }
  for (const name of await readdir(paths.log)) {
    if (name.includes(".torn-at-")) yield* fileEntry(`audit/log/${name}`, join(paths.log, name));
  }
  const later = await namedAfter(paths.log, size, lastSeq());
  for (const name of transcripts) {
    // One that no event names at all goes along: it is a sign of tampering, and not for this server to hide.
    if (!later.has(name)) yield* fileEntry(`audit/transcripts/${name}`, join(paths.transcripts, name));
  }
  yield tarEnd();
}

/**
 * The record as its newest checkpoint signs it, as a tar archive: that and its history, the public key, every line up to it, and
 * the transcripts. What the server writes meanwhile is left out, so that `pep audit verify` finds a whole record.
 *
 * @param begin puts the export on the record and has that signed; after the transcripts were listed, so that a session that
 * begins meanwhile is named by an event after the checkpoint
 * @param lastSeq the last durable event
 */
export const exportRecord = async (
  dataDirectory: string,
  begin: () => Promise<void>,
  lastSeq: () => number,
): Promise<AsyncIterable<Uint8Array>> => {
  const paths = recordPaths(dataDirectory);
  const transcripts = await readdir(paths.transcripts).catch(() => []);
  await begin();
  return archive(
    paths,
    transcripts.sort((a, b) => (a < b ? -1 : 1)),
    lastSeq,
  );
};
