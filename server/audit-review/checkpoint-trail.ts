import { createPublicKey, type KeyObject } from "node:crypto";
import { existsSync } from "node:fs";
import { decodeCheckpoint, historyNotes } from "../audit/checkpoint.ts";
import { checkLine } from "../audit/line-signature.ts";
import type { CompactRange } from "../audit/merkle-tree.ts";
import { readTextOfRecord } from "../audit/open-of-record.ts";
import type { Permissions } from "../audit/permissions.ts";
import { describeAltered } from "../audit/record-loss.ts";
import { publicKeyFromRaw, rawPublicKey, signersOf } from "../audit/signed-note.ts";
import { textOf, type ReadEvent } from "./decode-line.ts";
import type { Findings } from "./findings.ts";
import type { RecordPaths } from "./record-paths.ts";

/** What the one who asks has from elsewhere. */
export interface Trusted {
  readonly publicKey: KeyObject | undefined;
  readonly sinceCheckpoint: string | undefined;
}

type Checkpoint = ReturnType<typeof decodeCheckpoint>;

const words = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/**
 * A running server adds a checkpoint to the history first and then renames the newest into place: one that looks older than the
 * history may be in between.
 */
const catchesUp = (path: string, size: number): boolean => {
  for (let tries = 0; tries < 20; tries += 1) {
    try {
      if (decodeCheckpoint(readTextOfRecord(path)).size >= size) return true;
    } catch {
      return false; // told where it is read for good
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 25);
  }
  return false;
};

/** Every checkpoint there is, held against the tree as it grows. */
export class CheckpointTrail {
  readonly #findings: Findings;
  readonly #trusted: Trusted;
  readonly #keys: KeyObject[] = [];
  /** Keys that the log announced, by the event that did: trusted once a trusted checkpoint covers it. */
  readonly #announced = new Map<number, KeyObject>();
  #newest: Checkpoint | undefined;
  readonly #since: Checkpoint | undefined;
  readonly #history: Iterator<Checkpoint>;
  #next: Checkpoint | undefined;
  #signedThrough = 0;
  #brokenLine: number | undefined;
  #sinceHolds = false;

  readonly #permissions: Permissions;

  constructor(paths: RecordPaths, trusted: Trusted, findings: Findings, permissions: Permissions) {
    this.#findings = findings;
    this.#permissions = permissions;
    this.#trusted = trusted;
    if (trusted.publicKey !== undefined) this.#keys.push(trusted.publicKey);
    else if (existsSync(paths.publicKey)) this.#trustFile(paths.publicKey);
    else findings.problem("there is no log-key.pub, and no --public-key was given: no signature can be checked");
    this.#newest = existsSync(paths.checkpoint)
      ? this.#decode(() => readTextOfRecord(paths.checkpoint), "audit/checkpoint")
      : undefined;
    // Read through first: a server that is running adds to it while the log is read.
    let count = 0;
    let last: Checkpoint | undefined;
    if (existsSync(paths.history)) {
      try {
        for (const note of historyNotes(paths.history)) {
          count += 1;
          last = this.#decode(() => note, `audit/checkpoint-history, checkpoint ${count}`) ?? last;
        }
      } catch (error) {
        findings.problem(`audit/checkpoint-history can't be read: ${words(error)}`);
      }
    }
    if (last !== undefined && (this.#newest?.size ?? last.size) < last.size && catchesUp(paths.checkpoint, last.size)) {
      this.#newest = last;
    }
    if (this.#newest !== undefined && (last === undefined || last.size < this.#newest.size)) {
      findings.problem("audit/checkpoint-history ends before audit/checkpoint: checkpoints were taken out of it");
    } else if (last !== undefined && (this.#newest === undefined || this.#newest.size < last.size)) {
      findings.problem(
        `audit/checkpoint is older than audit/checkpoint-history, which goes to event ${last.size}: it was replaced, or the server was killed while it was written`,
      );
    }
    this.#history = this.#checkpoints(paths, count);
    const { sinceCheckpoint } = trusted;
    this.#since = sinceCheckpoint === undefined ? undefined : this.#decode(() => sinceCheckpoint, "--since-checkpoint");
    if (this.#since !== undefined && this.#newest !== undefined && this.#since.origin !== this.#newest.origin) {
      findings.problem(`--since-checkpoint is of the log ${this.#since.origin}, this is ${this.#newest.origin}`);
    }
    this.#advance();
  }

  /** The last event that a trusted checkpoint covers, or the signature of a line behind it. */
  get signedThrough(): number {
    return this.#signedThrough;
  }

  takeEvent(event: ReadEvent, seq: number): void {
    if (event.type !== "log-key-rotated") return;
    const raw = Buffer.from(textOf(event, "to"), "base64");
    if (raw.length === 32) this.#announced.set(seq, publicKeyFromRaw(raw));
  }

  /**
   * A line, before the tree grows by it. Behind the newest checkpoint its own signature counts.
   *
   * @param line without its newline
   */
  takeLine(line: Buffer, tree: CompactRange): void {
    const { size } = tree;
    if (this.#newest === undefined || size < this.#newest.size || this.#signedThrough < this.#newest.size) return;
    const { origin } = this.#newest;
    const found = checkLine(() => ({ origin, size, root: tree.root() }), line, this.#keys);
    if (found === "broken") this.#brokenLine ??= size + 1;
    if (found !== "holds") return;
    this.#signedThrough = size + 1;
    this.#brokenLine = undefined;
  }

  grown(tree: CompactRange): void {
    while (this.#next !== undefined && this.#next.size <= tree.size) {
      if (this.#next.size < tree.size) {
        this.#findings.problem(
          `audit/checkpoint-history goes back from a later checkpoint to event ${this.#next.size}`,
        );
      } else this.#check(this.#next, tree, "audit/checkpoint-history");
      this.#advance();
    }
    if (this.#since?.size === tree.size) {
      if (this.#since.root.equals(tree.root())) this.#sinceHolds = true;
      else {
        this.#findings.problem(
          `the first ${tree.size} events are not those of --since-checkpoint: the log was written anew or changed`,
        );
      }
    }
    if (this.#newest?.size === tree.size) {
      const found = this.#check(this.#newest, tree, "audit/checkpoint");
      if (found === "stranger") {
        this.#findings.problem("audit/checkpoint is not signed with a key that is trusted here");
      }
    }
  }

  end(tree: CompactRange): void {
    const { size } = tree;
    const furthest = Math.max(this.#newest?.size ?? 0, this.#next?.size ?? 0);
    if (furthest > size) {
      this.#findings.problem(`the log ends at event ${size}, but a checkpoint covers ${furthest}: its end was cut off`);
    }
    if (this.#newest === undefined && size > 0) {
      this.#findings.problem("there is no audit/checkpoint: nothing says what the log was");
    }
    if (this.#since !== undefined && this.#since.size > size) {
      this.#findings.problem(`the log ends at event ${size}, but --since-checkpoint covers ${this.#since.size}`);
    }
    if (this.#newest === undefined) return;
    const from = Math.max(this.#newest.size, this.#signedThrough) + 1;
    if (this.#brokenLine !== undefined) {
      this.#findings.problem(describeAltered({ from, to: size, brokenLine: this.#brokenLine }));
    } else if (size >= from) {
      this.#findings.notice(
        `events ${from} to ${size} came after the last checkpoint: they are unsigned, nothing proves them yet`,
      );
    }
  }

  claims(holds: boolean): string[] {
    if (!holds) return ["This record does not hold. Before you do anything else with it, keep a copy as it is."];
    if (this.#signedThrough === 0) return ["Nothing in this record is signed, so nothing about it is proved."];
    const through = `events 1 to ${this.#signedThrough}`;
    const claims = [
      this.#trusted.publicKey === undefined
        ? `Internal consistency only: ${through} fit their checkpoints and transcripts. Somebody with control of the machine could have written all of it anew with another key. Keep log-key.pub elsewhere, and give it as --public-key.`
        : `Signed: ${through} are what the holder of the given key signed, in this order, none missing among them.`,
    ];
    claims.push(
      this.#sinceHolds
        ? `Unchanged: the first ${this.#since?.size ?? 0} events are those of the given checkpoint. Not even the holder of the machine or its key can have changed them.`
        : "Not proved: that nobody with control of the machine used the log's private key, or set the whole record back to an earlier checkpoint. Keep copies of audit/checkpoint elsewhere, and give one as --since-checkpoint.",
    );
    return claims;
  }

  *#checkpoints(paths: RecordPaths, count: number): Generator<Checkpoint> {
    if (count === 0) return;
    let left = count;
    for (const note of historyNotes(paths.history)) {
      if (left === 0) return;
      left -= 1;
      try {
        yield decodeCheckpoint(note);
      } catch {
        // Told when it was read through.
      }
    }
  }

  #trustFile(publicKey: string): void {
    try {
      this.#keys.push(createPublicKey(readTextOfRecord(publicKey)));
    } catch (error) {
      this.#findings.problem(`log-key.pub can't be used, so no signature can be checked: ${words(error)}`);
    }
  }

  #advance(): void {
    const { value, done } = this.#history.next();
    this.#next = done === true ? undefined : value;
  }

  #decode(read: () => string, name: string): Checkpoint | undefined {
    try {
      return decodeCheckpoint(read());
    } catch (error) {
      this.#findings.problem(`${name} is damaged: ${words(error)}`);
      return undefined;
    }
  }

  /** An older key's signature, a stranger's, says nothing here, and does no harm. */
  #check(checkpoint: Checkpoint, tree: CompactRange, name: string): "signed" | "stranger" | "problem" {
    const { size } = checkpoint;
    if (!checkpoint.root.equals(tree.root())) {
      // What an earlier checkpoint covers was as it should be.
      const from = this.#signedThrough < size ? this.#signedThrough + 1 : 1;
      const where = from === size ? `event ${size}` : `one of the events ${from} to ${size}`;
      this.#findings.problem(
        `${name}: the first ${size} events are not those it was signed over: ${where} was changed, taken away, put in or moved`,
      );
      return "problem";
    }
    try {
      if (signersOf(checkpoint.note, checkpoint.origin, this.#keys).length === 0) return "stranger";
    } catch (error) {
      this.#findings.problem(`${name}, at event ${size}: ${words(error)}`);
      return "problem";
    }
    for (const [seq, key] of this.#announced) {
      if (seq > size) continue;
      this.#announced.delete(seq);
      // An unsigned line could announce an attacker's key.
      if (this.#permissions.isWorthless(seq, size)) {
        this.#findings.notice(
          `event ${seq} announces a key, but was not signed when it was written: the key is not trusted`,
        );
        continue;
      }
      if (!this.#keys.some((known) => rawPublicKey(known).equals(rawPublicKey(key)))) this.#keys.push(key);
    }
    this.#signedThrough = Math.max(this.#signedThrough, size);
    return "signed";
  }
}
