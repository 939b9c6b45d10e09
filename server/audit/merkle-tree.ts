import { hash } from "node:crypto";

/** RFC 6962 section 2.1: the domain bytes keep a leaf from passing for a node. */
const leafPrefix = Buffer.of(0);
const nodePrefix = Buffer.of(1);
export const hashBytes = 32;

/**
 * In one call: a Hash object for each of a million lines costs more than the hashing. By way of a string, one character a
 * byte: `"buffer"` makes an ArrayBuffer for 32 bytes, 3.4 µs a leaf instead of 1.8.
 */
const sha256 = (bytes: Uint8Array): Buffer => Buffer.from(hash("sha256", bytes, "latin1"), "latin1");

export const leafHash = (entry: Uint8Array): Buffer => sha256(Buffer.concat([leafPrefix, entry]));

const nodeHash = (left: Uint8Array, right: Uint8Array): Buffer => sha256(Buffer.concat([nodePrefix, left, right]));

const emptyRoot = (): Buffer => sha256(Buffer.alloc(0));

/** The largest power of two below `size`, which is at least 2: where RFC 6962 splits a tree. */
const splitOf = (size: number): number => 2 ** Math.floor(Math.log2(size - 1));

/**
 * The right edge of a growing tree: its complete subtrees, largest first. All that appending and the root need, so a log of
 * any length costs a few dozen hashes of memory.
 */
export class CompactRange {
  readonly #subtrees: Buffer[] = [];
  #size = 0;

  /** A tree of this size goes on from its complete subtrees. @throws RangeError when it has others */
  static from(size: number, subtrees: readonly Buffer[]): CompactRange {
    let complete = 0;
    for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) complete += rest % 2;
    if (subtrees.length !== complete || subtrees.some(({ length }) => length !== hashBytes)) {
      throw new RangeError("not the subtrees of such a tree");
    }
    const range = new CompactRange();
    range.#size = size;
    range.#subtrees.push(...subtrees);
    return range;
  }

  get size(): number {
    return this.#size;
  }

  /** The same tree once more: what is appended to it stays out of this one. */
  copy(): CompactRange {
    const copy = new CompactRange();
    copy.#subtrees.push(...this.#subtrees);
    copy.#size = this.#size;
    return copy;
  }

  /** Largest first. */
  get subtrees(): readonly Buffer[] {
    return [...this.#subtrees];
  }

  append(leaf: Buffer): void {
    let hash = leaf;
    // As many merges as the old size has trailing one bits. Not by shifts: they end at 32 bits.
    for (let rest = this.#size; rest % 2 === 1; rest = (rest - 1) / 2) {
      const left = this.#subtrees.pop();
      if (left === undefined) throw new Error("a tree without its subtrees");
      hash = nodeHash(left, hash);
    }
    this.#subtrees.push(hash);
    this.#size += 1;
  }

  root(): Buffer {
    return (
      this.#subtrees.reduceRight<Buffer | undefined>(
        (right, left) => (right === undefined ? left : nodeHash(left, right)),
        undefined,
      ) ?? emptyRoot()
    );
  }
}

/** A whole tree in memory, 64 bytes a leaf: for proofs. */
export class HashTree {
  /** `levels[n]` holds the hashes of the complete subtrees of 2^n leaves, one after the other. */
  readonly #levels: { bytes: Buffer; count: number }[] = [];

  get size(): number {
    return this.#levels[0]?.count ?? 0;
  }

  append(leaf: Buffer): void {
    let hash = leaf;
    for (let level = 0; ; level += 1) {
      const row = (this.#levels[level] ??= { bytes: Buffer.alloc(64 * hashBytes), count: 0 });
      if (row.bytes.length === row.count * hashBytes) {
        const larger = Buffer.alloc(row.bytes.length * 2);
        row.bytes.copy(larger);
        row.bytes = larger;
      }
      hash.copy(row.bytes, row.count * hashBytes);
      row.count += 1;
      if (row.count % 2 === 1) return;
      hash = nodeHash(this.#at(level, row.count - 2), hash);
    }
  }

  #at(level: number, index: number): Buffer {
    const row = this.#levels[level];
    if (row === undefined || index < 0 || index >= row.count) throw new RangeError("no such hash in this tree");
    return row.bytes.subarray(index * hashBytes, (index + 1) * hashBytes);
  }

  /** MTH(D[start:end]); only ever asked for ranges that RFC 6962's recursion makes, so a complete one is aligned. */
  #range(start: number, end: number): Buffer {
    const size = end - start;
    const level = Math.log2(size);
    if (Number.isInteger(level) && start % size === 0) return this.#at(level, start / size);
    const split = splitOf(size);
    return nodeHash(this.#range(start, start + split), this.#range(start + split, end));
  }

  root(size: number): Buffer {
    return size === 0 ? emptyRoot() : Buffer.from(this.#range(0, size));
  }

  /** PATH(index, D[0:size]) of RFC 6962 section 2.1.1, from the leaf upwards. */
  inclusionProof(index: number, size: number): Buffer[] {
    if (index < 0 || index >= size || size > this.size) throw new RangeError("no such leaf in this tree");
    const path = (start: number, end: number): Buffer[] => {
      if (end - start === 1) return [];
      const middle = start + splitOf(end - start);
      return index < middle
        ? [...path(start, middle), this.#range(middle, end)]
        : [...path(middle, end), this.#range(start, middle)];
    };
    return path(0, size).map((hash) => Buffer.from(hash));
  }

  /** PROOF(oldSize, D[0:size]) of RFC 6962 section 2.1.2. */
  consistencyProof(oldSize: number, size: number): Buffer[] {
    if (oldSize < 1 || oldSize > size || size > this.size) throw new RangeError("no such trees");
    const subproof = (start: number, end: number, whole: boolean): Buffer[] => {
      if (oldSize === end) return whole ? [] : [this.#range(start, end)];
      const middle = start + splitOf(end - start);
      return oldSize <= middle
        ? [...subproof(start, middle, whole), this.#range(middle, end)]
        : [...subproof(middle, end, false), this.#range(start, middle)];
    };
    return subproof(0, size, true).map((hash) => Buffer.from(hash));
  }
}

/** A whole tree: how many leaves it has, and what they come to. */
interface TreeHead {
  readonly size: number;
  readonly root: Buffer;
}

/** RFC 9162 section 2.1.3.2 (the algorithm that RFC 6962 leaves out; same tree). */
export const verifyInclusion = (
  leaf: Buffer,
  index: number,
  proof: readonly Buffer[],
  { size, root }: TreeHead,
): boolean => {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size) return false;
  let first = BigInt(index);
  let last = BigInt(size - 1);
  let hash = leaf;
  for (const sibling of proof) {
    if (last === 0n) return false;
    if (first % 2n === 1n || first === last) {
      hash = nodeHash(sibling, hash);
      while (first % 2n === 0n && first !== 0n) {
        first /= 2n;
        last /= 2n;
      }
    } else hash = nodeHash(hash, sibling);
    first /= 2n;
    last /= 2n;
  }
  return last === 0n && hash.equals(root);
};

/** RFC 9162 section 2.1.4.2: is the old tree a prefix of the other? */
export const verifyConsistency = (old: TreeHead, { size, root }: TreeHead, proof: readonly Buffer[]): boolean => {
  const { size: oldSize, root: oldRoot } = old;
  if (!Number.isSafeInteger(oldSize) || !Number.isSafeInteger(size) || oldSize < 1 || oldSize > size) return false;
  if (oldSize === size) return proof.length === 0 && oldRoot.equals(root);
  const isComplete = Number.isInteger(Math.log2(oldSize));
  const [seed, ...rest] = isComplete ? [oldRoot, ...proof] : proof;
  if (seed === undefined || proof.length === 0) return false;
  let first = BigInt(oldSize - 1);
  let last = BigInt(size - 1);
  while (first % 2n === 1n) {
    first /= 2n;
    last /= 2n;
  }
  let oldHash = seed;
  let hash = seed;
  for (const sibling of rest) {
    if (last === 0n) return false;
    if (first % 2n === 1n || first === last) {
      oldHash = nodeHash(sibling, oldHash);
      hash = nodeHash(sibling, hash);
      while (first % 2n === 0n && first !== 0n) {
        first /= 2n;
        last /= 2n;
      }
    } else hash = nodeHash(hash, sibling);
    first /= 2n;
    last /= 2n;
  }
  return last === 0n && oldHash.equals(oldRoot) && hash.equals(root);
};
