import { WireReader } from "./wire.ts";

export interface KeyLine {
  readonly type: string;
  readonly blob: Buffer;
}

/**
 * `type base64 [comment]`, the line of a `.pub` file. The key itself is not judged: a list of revoked keys may hold those
 * that nobody accepts any more.
 * @throws Error
 */
export const readKeyLine = (line: string): KeyLine => {
  const [type = "", base64 = ""] = line.split(/[ \t]+/);
  if (!/^(?:ssh-|ecdsa-|sk-)[a-z0-9@.-]+$/.test(type)) throw new Error("it does not begin with a key type");
  const blob = Buffer.from(base64, "base64");
  if (base64 === "" || blob.toString("base64") !== base64) throw new Error("the key is not base64");
  if (new WireReader(blob).ascii() !== type) throw new Error("the key is of another type than the line says");
  return { type, blob };
};
