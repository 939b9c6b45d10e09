import type { DatabaseSync } from "node:sqlite";
import { EndpointError } from "../../errors.ts";
import { Secret } from "../../secret.ts";
import type { SiteDatabase } from "../../command/site-database.ts";
import { isCanonicalGuid } from "../../model/guid.ts";
import { cellKinds } from "./cell-kinds.ts";
import { decodeInteger, decodeText } from "./columns.ts";
import type { RawRow } from "./columns.ts";
import { prepareArrays } from "./connection.ts";
import { UnreadableCell, unavailable } from "./failures.ts";
import type { KeyLookUp } from "./key-look-up.ts";
import { at } from "./key-pages.ts";
import { readerName } from "./principals.ts";
import type { CertificateAccess } from "./principals.ts";
import { openStored } from "./stored-secrets.ts";

/** By the index of a key's packages, which are few. */
const newestPackageQuery = `
SELECT Id, RecoveryPackage, hex(Fingerprint) FROM RecoveryAndHardwareCore_Packages
 WHERE KeyId = ? ORDER BY LastUpdateTime DESC, Id DESC LIMIT 1`;

/** Reads recovery packages. The row of the key is checked first, so that a changed table can't pass one key off as another. */
export const createPackageReader = (
  database: DatabaseSync,
  access: CertificateAccess,
  { pages, judgeFor, look, ready }: KeyLookUp,
  mark: SiteDatabase["markDisclosed"],
): Pick<SiteDatabase, "hasRecoveryPackage" | "takeRecoveryPackage"> => {
  const newest = prepareArrays(database, newestPackageQuery);

  const find = (passwordId: string): { readonly key: RawRow; readonly found: RawRow } | undefined => {
    const rows = pages.rowsOfKey(passwordId);
    const [key] = rows;
    if (key === undefined || !rows.every(judgeFor({}).matches))
      throw unavailable("A recovery key is not there any longer.", `no password ${passwordId}`);
    const [found] = newest(decodeInteger(key[at.keyId], "Keys.Id"));
    return found && { key, found };
  };

  const open = (passwordId: string): Secret | undefined => {
    const both = find(passwordId);
    if (both === undefined) return undefined;
    const [id, raw, fingerprint] = both.found;
    const rowId = decodeInteger(id, "Packages.Id");
    const stored = { rowId, subject: passwordId, raw, fingerprint };
    const plain = openStored(access, access.dataKeysFor(readerName), cellKinds.recoveryPackage, stored);
    try {
      if (plain.length === 0) throw new UnreadableCell(`RecoveryPackage of row ${rowId} (${passwordId}) is empty`);
      const computerName = decodeText(both.key[at.name], "Machines.Name");
      return new Secret(plain.toString("base64"), { keyId: passwordId, computerName, what: "recovery-package" });
    } finally {
      plain.fill(0);
    }
  };

  const lookFor = async <Found>(passwordId: string, signal: AbortSignal, work: () => Found): Promise<Found> => {
    if (!isCanonicalGuid(passwordId))
      throw new EndpointError("InvalidArgument", "A recovery package is asked for by its key's whole id.");
    await ready(signal);
    return look(signal, work);
  };

  return {
    hasRecoveryPackage: (passwordId, signal) => lookFor(passwordId, signal, () => find(passwordId) !== undefined),
    takeRecoveryPackage: async (passwordId, reason, signal) => {
      const found = await lookFor(passwordId, signal, () => open(passwordId));
      if (found !== undefined) await mark([passwordId], reason, signal);
      return found;
    },
  };
};
