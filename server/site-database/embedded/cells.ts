import { createCipheriv, createDecipheriv, createHmac, randomBytes } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { UnreadableCell } from "./failures.ts";

/** The one place a cell may stand in. Part of what is authenticated, so a cell moved elsewhere does not open. */
export interface CellAddress {
  readonly table: string;
  readonly column: string;
  readonly rowId: number;
  /** What the row is about: the key id, or the folded computer name of a TPM password hash. */
  readonly subject: string;
}

const algorithm = "aes-256-gcm";
const formatVersion = 1;
const nonceBytes = 12;
const tagBytes = 16;
const headerBytes = 1 + nonceBytes;

// JSON, because it can't be ambiguous: ["a","b"] and ["ab",""] differ, joined text might not.
const additionalData = (address: CellAddress): Buffer =>
  Buffer.from(JSON.stringify(["pep cell 1", address.table, address.column, address.rowId, address.subject]), "utf8");

/** What may open a cell, the newest first. */
export type DataKeys = readonly KeyObject[];

/** Encrypts one cell: version, nonce, ciphertext, tag. */
export const sealCell = (dataKey: KeyObject, address: CellAddress, plain: Uint8Array): Uint8Array => {
  // Random nonces are safe for 2^32 cells under one key (NIST SP 800-38D §8.3), far beyond a site's 10^7.
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv(algorithm, dataKey, nonce, { authTagLength: tagBytes });
  cipher.setAAD(additionalData(address));
  const body = cipher.update(plain);
  cipher.final();
  return Buffer.concat([Uint8Array.of(formatVersion), nonce, body, cipher.getAuthTag()]);
};

/** Decrypts one cell. Throws `UnreadableCell` for anything that was not sealed for exactly this address. */
export const openCell = (dataKey: KeyObject, address: CellAddress, cell: Uint8Array): Buffer => {
  const where = (): string => `${address.table}.${address.column} of row ${address.rowId} (${address.subject})`;
  if (cell.length < headerBytes + tagBytes || cell[0] !== formatVersion)
    throw new UnreadableCell(`${where()} is not an encrypted cell`);
  const decipher = createDecipheriv(algorithm, dataKey, cell.subarray(1, headerBytes), { authTagLength: tagBytes });
  decipher.setAAD(additionalData(address));
  decipher.setAuthTag(cell.subarray(cell.length - tagBytes));
  const plain = decipher.update(cell.subarray(headerBytes, cell.length - tagBytes));
  try {
    decipher.final();
    return plain;
  } catch (error) {
    plain.fill(0);
    throw new UnreadableCell(`${where()} was changed, moved or encrypted with another key`, { cause: error });
  }
};

/** What a cell holds, for its caller to zero, and which of the data keys opened it. */
export interface OpenedCell {
  readonly plain: Buffer;
  readonly by: number;
}

/** As `openCell`, also for a cell that has not been moved to the newest data key yet. */
export const openCellByAny = (dataKeys: DataKeys, address: CellAddress, cell: Uint8Array): OpenedCell => {
  let failure: unknown = new UnreadableCell("no data key is there");
  for (const [by, dataKey] of dataKeys.entries()) {
    try {
      return { plain: openCell(dataKey, address, cell), by };
    } catch (error) {
      if (!(error instanceof UnreadableCell)) throw error;
      failure = error;
    }
  }
  throw failure;
};

/** Equal for equal values under one subject, and says nothing else to anyone without the key. */
export const fingerprint = (key: KeyObject, subject: string, value: Uint8Array): Buffer =>
  createHmac("sha256", key).update(JSON.stringify(subject)).update(value).digest().subarray(0, 16);
