import { sign, verify, type KeyObject } from "node:crypto";
import type { Checkpoint } from "./checkpoint.ts";

/** The last field of a line, as `signLine` writes it. */
const field = /,"signature":"(?<base64>[A-Za-z0-9+/]{86}==)"\}$/;
/** Longer than the field: of a line no more is looked at. */
const fieldBytes = 128;

/** No checkpoint's text: that has three lines. */
const signedText = ({ origin, size, root }: Checkpoint, line: string | Buffer): Buffer =>
  Buffer.concat([
    Buffer.from(`pep-audit-line/v1\n${origin}\n${size}\n${root.toString("base64")}\n`),
    typeof line === "string" ? Buffer.from(line) : line,
  ]);

/**
 * Signs a line of the log and all that stands before it, so that a crash leaves nothing unsigned that was durable.
 *
 * @param before the tree over the lines before it
 * @param line without a signature; a JSON object
 * @returns the line with a last field `signature` (Ed25519, base64)
 */
export const signLine = (before: Checkpoint, line: string, key: KeyObject): string =>
  `${line.slice(0, -1)},"signature":"${sign(null, signedText(before, line), key).toString("base64")}"}`;

/** What a line's signature says of it: there is none, one of a key that is trusted here, or another. */
export type LineSignature = "none" | "holds" | "broken";

/** @param before the tree over the lines that stand before it; asked for only where there is a signature */
export const checkLine = (before: () => Checkpoint, line: Buffer, keys: readonly KeyObject[]): LineSignature => {
  const tail = line.toString("latin1", Math.max(0, line.length - fieldBytes));
  const { 0: found = "", groups } = field.exec(tail) ?? {};
  const base64 = groups?.["base64"];
  if (base64 === undefined) return "none";
  const text = signedText(before(), Buffer.concat([line.subarray(0, line.length - found.length), Buffer.of(0x7d)]));
  const signature = Buffer.from(base64, "base64");
  return keys.some((key) => verify(null, text, key, signature)) ? "holds" : "broken";
};
