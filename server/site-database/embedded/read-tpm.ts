import type { DatabaseSync } from "node:sqlite";
import { Secret } from "../../secret.ts";
import type { SiteDatabase, TpmPasswordHash } from "../../command/site-database.ts";
import { foldComputerName } from "../../model/computer-name.ts";
import { cellKinds } from "./cell-kinds.ts";
import { decodeInteger, decodeText, decodeTime } from "./columns.ts";
import type { RawRow } from "./columns.ts";
import { prepareArrays } from "./connection.ts";
import { UnreadableCell } from "./failures.ts";
import type { KeyLookUp } from "./key-look-up.ts";
import { readerName } from "./principals.ts";
import type { CertificateAccess } from "./principals.ts";
import { openStored } from "./stored-secrets.ts";

/** By the index of a computer's hashes, which are few. */
const hashesQuery = `
SELECT t.Id, m.Name, t.TpmPasswordHash, hex(t.Fingerprint), t.LastUpdateTime FROM RecoveryAndHardwareCore_Machines m
  CROSS JOIN RecoveryAndHardwareCore_Tpm t ON t.MachineId = m.Id
 WHERE m.NameFolded = ? ORDER BY t.LastUpdateTime DESC, t.Id DESC`;

/** Reads TPM password hashes. A cell opens for the computer alone that it was imported for. */
export const createTpmReader = (
  database: DatabaseSync,
  access: CertificateAccess,
  { look, ready }: KeyLookUp,
): Pick<SiteDatabase, "readTpmPasswordHashes"> => {
  const hashesOf = prepareArrays(database, hashesQuery);

  const open = ([id, name, raw, fingerprint, lastUpdateTime]: RawRow, folded: string): TpmPasswordHash => {
    const rowId = decodeInteger(id, "Tpm.Id");
    const computerName = decodeText(name, "Machines.Name");
    if (foldComputerName(computerName) !== folded)
      throw new UnreadableCell(`the name of machine ${folded} was changed by somebody without the master key`);
    const stored = { rowId, subject: folded, raw, fingerprint };
    const plain = openStored(access, access.dataKeysFor(readerName), cellKinds.tpmPasswordHash, stored);
    try {
      return {
        computerName,
        hash: new Secret(plain.toString(cellKinds.tpmPasswordHash.encoding), {
          // Limits count by it: each computer's is one of its own.
          keyId: `TPM of ${computerName}`,
          computerName,
          what: "tpm-password-hash",
        }),
        lastUpdateTime: decodeTime(lastUpdateTime, "LastUpdateTime"),
      };
    } finally {
      plain.fill(0);
    }
  };

  return {
    readTpmPasswordHashes: async (name, signal) => {
      const folded = foldComputerName(name);
      await ready(signal);
      return look(signal, () => hashesOf(folded).map((row) => open(row, folded)));
    },
  };
};
