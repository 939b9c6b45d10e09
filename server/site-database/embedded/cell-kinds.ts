import { cellColumns } from "./schema.ts";

export interface CellKind {
  readonly place: { readonly table: string; readonly column: string };
  /** Id, what the cell is about (the subject of its address), the cell and its fingerprint, of a page behind an id. */
  readonly page: string;
  /** What its fingerprint is about. */
  readonly marked: (about: string) => string;
  /** Of the cell's text, where it is not encrypted. */
  readonly encoding: BufferEncoding;
}

const keys = cellColumns.recoveryKey.table;

/** Whatever is encrypted in a row. LEFT JOIN: a cell that is about nothing any more is one, too. */
export const cellKinds = {
  recoveryKey: {
    place: cellColumns.recoveryKey,
    page: `SELECT Id, RecoveryKeyId, RecoveryKey, hex(Fingerprint) FROM ${keys}
      WHERE Id > ? AND RecoveryKey IS NOT NULL ORDER BY Id LIMIT ?`,
    marked: (keyId) => keyId,
    encoding: "latin1",
  },
  recoveryPackage: {
    place: cellColumns.recoveryPackage,
    page: `SELECT p.Id, k.RecoveryKeyId, p.RecoveryPackage, hex(p.Fingerprint) FROM ${cellColumns.recoveryPackage.table} p
       LEFT JOIN ${keys} k ON k.Id = p.KeyId WHERE p.Id > ? ORDER BY p.Id LIMIT ?`,
    marked: (keyId) => `package ${keyId}`,
    encoding: "base64",
  },
  tpmPasswordHash: {
    place: cellColumns.tpmPasswordHash,
    page: `SELECT t.Id, m.NameFolded, t.TpmPasswordHash, hex(t.Fingerprint) FROM ${cellColumns.tpmPasswordHash.table} t
       LEFT JOIN RecoveryAndHardwareCore_Machines m ON m.Id = t.MachineId WHERE t.Id > ? ORDER BY t.Id LIMIT ?`,
    marked: (folded) => `tpm ${folded}`,
    encoding: "utf8",
  },
} as const satisfies Record<keyof typeof cellColumns, CellKind>;
