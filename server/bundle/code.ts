import { hash } from "node:crypto";

/** V8 itself compares its version, its flags and the text's length, and nothing else. */
const sealOf = (source: Buffer): Buffer =>
  Buffer.from(`${process.arch} ${process.versions.v8} ${hash("sha256", source)}\n`);

/** Compiled code, bound to the very text it was compiled from. */
export const sealCode = (source: Buffer, code: Buffer): Buffer => Buffer.concat([sealOf(source), code]);

/** @returns undefined when it was compiled from another text, for another processor or by another V8 */
export const openCode = (source: Buffer, sealed: Buffer): Buffer | undefined => {
  const seal = sealOf(source);
  return sealed.subarray(0, seal.length).equals(seal) ? sealed.subarray(seal.length) : undefined;
};
