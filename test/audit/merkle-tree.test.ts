import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import {
  CompactRange,
  HashTree,
  leafHash,
  verifyConsistency,
  verifyInclusion,
} from "../../server/audit/merkle-tree.ts";

/** The published vectors of certificate-transparency's merkle_tree_test (also in transparency-dev/merkle). */
const entries = [
  "",
  "00",
  "10",
  "2021",
  "3031",
  "40414243",
  "5051525354555657",
  "606162636465666768696a6b6c6d6e6f",
].map((hex) => Buffer.from(hex, "hex"));
const roots = [
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

const treeOf = (count: number): HashTree => {
  const tree = new HashTree();
  for (let index = 0; index < count; index += 1) tree.append(leafHash(Buffer.from(`line ${index}`)));
  return tree;
};

/** RFC 6962 section 2.1, word for word. */
const definition = (leaves: readonly Buffer[]): Buffer => {
  if (leaves.length === 0) return createHash("sha256").digest();
  if (leaves.length === 1) {
    return createHash("sha256")
      .update(Buffer.of(0))
      .update(leaves[0] ?? Buffer.alloc(0))
      .digest();
  }
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return createHash("sha256")
    .update(Buffer.of(1))
    .update(definition(leaves.slice(0, split)))
    .update(definition(leaves.slice(split)))
    .digest();
};

test("both trees have the published roots at every size", () => {
  const range = new CompactRange();
  const tree = new HashTree();
  expect(range.root().toString("hex")).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  for (const [index, entry] of entries.entries()) {
    range.append(leafHash(entry));
    tree.append(leafHash(entry));
    expect(range.root().toString("hex")).toBe(roots[index]);
    expect(tree.root(index + 1).toString("hex")).toBe(roots[index]);
  }
});

test("the published inclusion and consistency paths are what the tree gives", () => {
  const tree = new HashTree();
  for (const entry of entries) tree.append(leafHash(entry));
  expect(tree.inclusionProof(0, 8).map((hash) => hash.toString("hex"))).toEqual([
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
  ]);
  expect(tree.inclusionProof(2, 3).map((hash) => hash.toString("hex"))).toEqual([roots[1]]);
  expect(tree.consistencyProof(1, 8).map((hash) => hash.toString("hex"))).toEqual([
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
  ]);
  expect(tree.consistencyProof(6, 8).map((hash) => hash.toString("hex"))).toEqual([
    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  ]);
});

test("for every size to 70 the incremental root is that of the definition, and every proof holds for its leaf alone", () => {
  const range = new CompactRange();
  const leaves: Buffer[] = [];
  const tree = treeOf(70);
  for (let size = 1; size <= 70; size += 1) {
    const entry = Buffer.from(`line ${size - 1}`);
    leaves.push(entry);
    range.append(leafHash(entry));
    const root = definition(leaves);
    expect(range.root().equals(root)).toBe(true);
    expect(tree.root(size).equals(root)).toBe(true);
    for (let index = 0; index < size; index += 1) {
      const proof = tree.inclusionProof(index, size);
      const leaf = leafHash(Buffer.from(`line ${index}`));
      expect(verifyInclusion(leaf, index, proof, { size, root })).toBe(true);
      expect(verifyInclusion(leafHash(Buffer.from("another")), index, proof, { size, root })).toBe(false);
      expect(verifyInclusion(leaf, index + 1, proof, { size, root })).toBe(false);
      expect(verifyInclusion(leaf, index, [...proof, root], { size, root })).toBe(false);
    }
  }
});

test("every smaller tree is proved to be a prefix of every larger one, and of no other", () => {
  const tree = treeOf(40);
  for (let size = 1; size <= 40; size += 1) {
    for (let old = 1; old <= size; old += 1) {
      const proof = tree.consistencyProof(old, size);
      expect(verifyConsistency({ size: old, root: tree.root(old) }, { size, root: tree.root(size) }, proof)).toBe(true);
      expect(
        verifyConsistency({ size: old, root: leafHash(Buffer.from("x")) }, { size, root: tree.root(size) }, proof),
      ).toBe(false);
      expect(
        verifyConsistency({ size: old, root: tree.root(old) }, { size, root: leafHash(Buffer.from("x")) }, proof),
      ).toBe(false);
      const [first, ...rest] = proof;
      if (first !== undefined) {
        expect(verifyConsistency({ size: old, root: tree.root(old) }, { size, root: tree.root(size) }, rest)).toBe(
          false,
        );
      }
    }
  }
});
