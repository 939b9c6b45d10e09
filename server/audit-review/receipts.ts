import type { KeyObject } from "node:crypto";
import { decodeCheckpoint } from "../audit/checkpoint.ts";
import { logLines } from "../audit/log-lines.ts";
import { HashTree, leafHash, verifyInclusion } from "../audit/merkle-tree.ts";
import { signersOf } from "../audit/signed-note.ts";
import { decodeLine, type ReadLine } from "./decode-line.ts";

const magic = "c2sp.org/tlog-proof@v1";

export interface Receipt {
  readonly name: string;
  readonly text: string;
}

/**
 * A receipt for each disclosure that the checkpoint covers, in the manner of C2SP tlog-proof: the line itself as `extra`, its
 * place, the path to the root, and the signed checkpoint. It names keys and holds none, as the log does.
 *
 * @param wanted which disclosures
 * @throws Error when the log is not the one that the checkpoint was signed over
 */
export const makeReceipts = function* (
  directory: string,
  rawCheckpoint: string,
  wanted: (line: ReadLine) => boolean,
): Generator<Receipt> {
  const checkpoint = decodeCheckpoint(rawCheckpoint);
  const tree = new HashTree();
  const disclosures: { index: number; bytes: Buffer }[] = [];
  for (const { content } of logLines(directory)) {
    if (tree.size === checkpoint.size) break;
    if (content.kind === "pruned") tree.append(content.leaf);
    if (content.kind !== "line") continue;
    const line = content.bytes.includes('"type":"disclosure"') ? decodeLine(content.bytes) : undefined;
    if (line?.event.type === "disclosure" && wanted(line)) {
      disclosures.push({ index: tree.size, bytes: Buffer.from(content.bytes) });
    }
    tree.append(leafHash(content.bytes));
  }
  if (tree.size !== checkpoint.size || !tree.root(tree.size).equals(checkpoint.root)) {
    throw new Error("the log is not the one that audit/checkpoint was signed over: pep audit verify says more");
  }
  for (const { index, bytes } of disclosures) {
    const path = tree.inclusionProof(index, tree.size).map((hash) => hash.toString("base64"));
    yield {
      name: `disclosure-${String(index + 1).padStart(12, "0")}.tlog-proof`,
      text: [magic, `extra ${bytes.toString("base64")}`, `index ${index}`, ...path, "", rawCheckpoint].join("\n"),
    };
  }
};

/**
 * Checks a receipt with nothing but the log's public key.
 *
 * @returns the line that it proves
 * @throws Error that says what does not hold
 */
export const verifyReceipt = (text: string, publicKey: KeyObject): ReadLine & { readonly checkpointSize: number } => {
  const at = text.indexOf("\n\n");
  const [head, extra, place, ...path] = text.slice(0, at).split("\n");
  const [, line64] = /^extra ([A-Za-z0-9+/]+={0,2})$/.exec(extra ?? "") ?? [];
  const [, index] = /^index (0|[1-9]\d{0,14})$/.exec(place ?? "") ?? [];
  if (at < 0 || head !== magic || line64 === undefined || index === undefined) throw new Error("it is not a receipt");
  const checkpoint = decodeCheckpoint(text.slice(at + 2));
  if (signersOf(checkpoint.note, checkpoint.origin, [publicKey]).length === 0) {
    throw new Error("its checkpoint was not signed with this key");
  }
  const bytes = Buffer.from(line64, "base64");
  const proof = path.map((hash) => Buffer.from(hash, "base64"));
  if (!verifyInclusion(leafHash(bytes), Number(index), proof, checkpoint)) {
    throw new Error("what it says is not in the log that was signed");
  }
  const line = decodeLine(bytes);
  if (line === undefined || line.seq !== Number(index) + 1) throw new Error("it holds no event of a log");
  return { ...line, checkpointSize: checkpoint.size };
};
