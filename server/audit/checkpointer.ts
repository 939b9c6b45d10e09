import { createPublicKey, type KeyObject } from "node:crypto";
import { constants, existsSync } from "node:fs";
import { join } from "node:path";
import { EndpointError } from "../errors.ts";
import { openFresh } from "../files/new-file.ts";
import { renameDurably } from "../files/replace-file.ts";
import { decodeCheckpoint, lastHistoryNote, originOf, signCheckpoint, type Checkpoint } from "./checkpoint.ts";
import { checkLine, signLine } from "./line-signature.ts";
import { CompactRange, leafHash } from "./merkle-tree.ts";
import { openFileOfRecord, readTextOfRecord } from "./open-of-record.ts";
import { isFull } from "./rescue-space.ts";
import { signersOf } from "./signed-note.ts";

export interface CheckpointerOptions {
  /** `audit/`: holds `checkpoint`, the newest, and `checkpoint-history`, all of them. */
  readonly directory: string;
  readonly key: KeyObject;
  /** Makes room on a full disk, once. @returns whether it could */
  readonly giveUpSpace: () => boolean;
}

type Found = ReturnType<typeof decodeCheckpoint>;

const damaged = (message: string, cause?: unknown): EndpointError =>
  new EndpointError("AuditUnavailable", message, { cause });

/** The checkpoint that reaches furthest: the newest file and the end of the history should say the same, but either may be gone. */
export const findNewest = (directory: string): Found | undefined => {
  const found: Found[] = [];
  for (const [name, read] of [
    ["checkpoint-history", lastHistoryNote],
    ["checkpoint", readTextOfRecord],
  ] as const) {
    const path = join(directory, name);
    if (!existsSync(path)) continue;
    try {
      const text = read(path);
      if (text !== undefined) found.push(decodeCheckpoint(text));
    } catch (error) {
      throw damaged(`audit/${name} is damaged: pep audit verify says more.`, error);
    }
  }
  return found.sort((a, b) => b.size - a.size)[0];
};

const writeWhole = async (path: string, text: string): Promise<void> => {
  const file = await openFresh(path);
  try {
    await file.writeFile(text);
    await file.datasync();
  } finally {
    await file.close();
  }
};

const appendNote = async (path: string, note: string): Promise<void> => {
  const history = await openFileOfRecord(path, constants.O_RDWR | constants.O_APPEND | constants.O_CREAT);
  try {
    const { size } = await history.stat();
    const last = Buffer.alloc(1);
    if (size > 0) await history.read(last, 0, 1, size - 1);
    try {
      // After a torn one begin on a line of its own; the reader passes over what is left of it.
      await history.appendFile(size > 0 && last[0] !== 10 ? `\n${note}` : note);
      await history.datasync();
    } catch (error) {
      await history.truncate(size).catch(() => undefined); // what stays is passed over as a torn one
      throw error;
    }
  } finally {
    await history.close();
  }
};

/** The tree over a log that is being written, and its signed checkpoints. */
export class Checkpointer {
  readonly #options: CheckpointerOptions;
  /** Of `log-key`. */
  readonly publicKey: KeyObject;
  #tree = new CompactRange();
  /** The tree goes on from a summary, of which nothing says yet that it is ours. */
  #isResumed = false;
  #passedSigned = false;
  readonly #earlier: Found | undefined;
  /** Durable, and not in the tree yet: they get there while the disk works on the next ones, or with the next checkpoint. */
  #waiting: Buffer[] = [];
  #origin: string | undefined;
  #signedSize: number;
  #provedSize: number;
  #brokenLine: number | undefined;
  #writing: Promise<void> = Promise.resolve();

  /** @throws EndpointError AuditUnavailable when an earlier checkpoint is damaged, or of another key */
  constructor(options: CheckpointerOptions) {
    this.#options = options;
    this.#earlier = findNewest(options.directory);
    this.publicKey = createPublicKey(options.key);
    this.#signedSize = this.#earlier?.size ?? 0;
    this.#provedSize = this.#signedSize;
    if (this.#earlier === undefined) return;
    this.#origin = this.#earlier.origin;
    if (!this.#isSigned(this.#earlier)) {
      throw damaged(
        "The newest checkpoint of the log was not signed with this log-key. A key is changed with: pep audit rotate-key",
      );
    }
  }

  /** Lines that are not covered by a checkpoint yet. */
  get unsigned(): number {
    return this.#tree.size + this.#waiting.length - this.#signedSize;
  }

  /** What the newest checkpoint covers. */
  get signedSize(): number {
    return this.#signedSize;
  }

  /** How far the log that was read is signed: by the newest checkpoint, or by the lines behind it. */
  get provedSize(): number {
    return this.#provedSize;
  }

  /** The first line behind that, by its number, whose signature does not hold. */
  get brokenLine(): number | undefined {
    return this.#brokenLine;
  }

  /** The tree over every line that was appended. */
  get tree(): Pick<CompactRange, "size" | "root" | "subtrees"> {
    return this.#tree;
  }

  /** Whether the tree grew through the one that the newest checkpoint was signed over. */
  get isSigned(): boolean {
    return this.#passedSigned;
  }

  /** Goes on from a tree of which nothing says yet that it is of this log: `isSigned` does, once it was read on. */
  resume(tree: CompactRange): void {
    this.#tree = tree;
    this.#isResumed = true;
  }

  /** From nothing. */
  restart(): void {
    this.#tree = new CompactRange();
    this.#isResumed = false;
    this.#passedSigned = false;
    this.#provedSize = this.#signedSize;
    this.#brokenLine = undefined;
  }

  /**
   * A line of the log as it is read.
   *
   * @throws EndpointError AuditUnavailable when the log is not the one that was signed
   */
  appendLine(line: Buffer): void {
    const { size } = this.#tree;
    // Without a checkpoint a start asks whether there was one, and nothing else counts (signed-past.ts).
    if (this.#earlier !== undefined && size >= this.#signedSize) {
      const { origin } = this.#earlier;
      const found = checkLine(() => ({ origin, size, root: this.#tree.root() }), line, [this.publicKey]);
      if (found === "broken") this.#brokenLine ??= size + 1;
      if (found === "holds") {
        this.#provedSize = size + 1;
        this.#brokenLine = undefined;
      }
    }
    this.append(leafHash(line));
  }

  /** @throws EndpointError AuditUnavailable when the log is not the one that was signed */
  append(leaf: Buffer): void {
    this.#tree.append(leaf);
    if (this.#tree.size === 1) {
      const origin = originOf(leaf);
      if (this.#origin !== undefined && this.#origin !== origin) throw damaged("The checkpoint is of another log.");
      this.#origin = origin;
    }
    if (this.#earlier?.size !== this.#tree.size) return;
    this.#passedSigned = this.#earlier.root.equals(this.#tree.root());
    if (!this.#passedSigned && !this.#isResumed) {
      throw damaged(
        "The log is not the one its checkpoint was signed over: a line was changed, taken away or put in. pep audit verify says where.",
      );
    }
  }

  /** Signs the last one of lines that are to be written together, and with it all before it. */
  seal(before: readonly string[], last: string): string {
    this.#settle();
    // The log's name is made of its first line, so that line can't be signed.
    if (this.#origin === undefined) return last;
    const tree = this.#tree.copy();
    for (const line of before) tree.append(leafHash(Buffer.from(line)));
    return signLine({ origin: this.#origin, size: tree.size, root: tree.root() }, last, this.#options.key);
  }

  /** Hashes lines that were written. @returns what puts them under the next checkpoint, once they are durable */
  take(lines: readonly Buffer[]): () => void {
    this.#settle();
    const leaves = lines.map(leafHash);
    return () => {
      for (const leaf of leaves) this.#waiting.push(leaf);
    };
  }

  #settle(): void {
    const leaves = this.#waiting;
    this.#waiting = [];
    for (const leaf of leaves) this.append(leaf);
  }

  /** Once every line of the log on disk was appended. */
  refuseShorterLog(): void {
    if (this.#earlier !== undefined && this.#tree.size < this.#earlier.size) {
      throw damaged(
        `The log has ${this.#tree.size} lines, but its checkpoint was signed over ${this.#earlier.size}: lines are missing at its end. The endpoint does not go on with such a log; restore it, or keep it for the investigation and start with an empty audit directory.`,
      );
    }
  }

  /**
   * Signs what is there, if that is more than the last checkpoint covers. One at a time.
   *
   * @param nextKey signs too: from then on either key goes on with the log
   */
  write(nextKey?: KeyObject): Promise<void> {
    const next = this.#after(this.#writing, nextKey);
    this.#writing = next.catch(() => undefined);
    return next;
  }

  async #after(before: Promise<void>, nextKey: KeyObject | undefined): Promise<void> {
    await before;
    this.#settle();
    if (this.#origin === undefined || (this.unsigned === 0 && nextKey === undefined)) return;
    await this.#write({ origin: this.#origin, size: this.#tree.size, root: this.#tree.root() }, nextKey);
  }

  async #write(checkpoint: Checkpoint, nextKey: KeyObject | undefined): Promise<void> {
    const { directory, key } = this.#options;
    const note = signCheckpoint(checkpoint, nextKey === undefined ? [key] : [key, nextKey]);
    const newest = join(directory, "checkpoint");
    // The history last: one in it that is not the newest file looks as if that file had been replaced.
    await this.#makingRoom(() => writeWhole(`${newest}.new`, note));
    await this.#makingRoom(() => appendNote(join(directory, "checkpoint-history"), note));
    await renameDurably(`${newest}.new`, newest);
    // Read back: a job that checks that it could sign, and then signs nothing, is worth nothing (CVE-2025-59339).
    const written = decodeCheckpoint(readTextOfRecord(newest));
    if (written.size !== checkpoint.size || !written.root.equals(checkpoint.root) || !this.#isSigned(written)) {
      throw damaged("The checkpoint that was written is not the one that was read back.");
    }
    this.#signedSize = checkpoint.size;
  }

  async #makingRoom(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      if (!isFull(error) || !this.#options.giveUpSpace()) throw error;
      await write();
    }
  }

  #isSigned({ note, origin }: Found): boolean {
    try {
      return signersOf(note, origin, [this.publicKey]).length > 0;
    } catch {
      return false;
    }
  }
}
