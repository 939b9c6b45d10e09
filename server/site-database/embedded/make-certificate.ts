import type { KeyObject } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { EndpointError } from "../../errors.ts";
import { thumbprintOf } from "../key-files.ts";
import type { OpenedBackup } from "../open-backup.ts";
import type {
  CertificateCreateRequest,
  CertificateMade,
  CertificateRestoreRequest,
  CertificateState,
} from "../../command/site-database.ts";
import { openOwnBackup } from "./backup-certificate.ts";
import { createBitLockerCertificate } from "./certificate.ts";
import type { NewCertificate } from "./certificate.ts";
import { addDataKey, exportKey, grantControl, grantees, placeCertificate } from "./certificate-rows.ts";
import type { OpenedDataKey } from "./certificate-rows.ts";
import { decodeBytes, decodeInteger } from "./columns.ts";
import { prepareArrays, withLockPatience, writeTransaction } from "./connection.ts";
import { isOurDataKey, unwrapDataKey } from "./data-key.ts";
import { ifWorks, throwIfStopped, unavailable, works } from "./failures.ts";
import type { KeySource } from "./master-key.ts";
import type { CertificateAccess, Grantee } from "./principals.ts";
import { certificateName, oldCertificateName } from "./schema.ts";
import { countUnreadableCells } from "./unreadable-cells.ts";
import { plural } from "../../model/plural.ts";

interface MakeParts {
  readonly database: DatabaseSync;
  readonly access: CertificateAccess;
  readonly keys: KeySource;
  readonly lockWaitMs: number;
}

/** What the file is called for `acceptUnreadableKeysIn`: SQL Server's databases have names, this one is always the site's. */
const databaseName = "site";

interface Present {
  readonly certificate: Uint8Array;
  readonly backedUpAt: number | null;
}

const findPresent = (database: DatabaseSync, name: string = certificateName): readonly Present[] =>
  prepareArrays(
    database,
    "SELECT certificate, pvt_key_last_backup_date FROM sys_certificates WHERE name = ?",
  )(name).map(([certificate, backedUpAt]) => ({
    certificate: decodeBytes(certificate, "certificate"),
    backedUpAt: backedUpAt === null ? null : decodeInteger(backedUpAt, "pvt_key_last_backup_date"),
  }));

/** Another number as soon as another connection has committed (https://www.sqlite.org/pragma.html#pragma_data_version). */
const dataVersion = (database: DatabaseSync): unknown => prepareArrays(database, "PRAGMA data_version")()[0]?.[0];

export const findCertificate = ({ database, lockWaitMs }: MakeParts, signal: AbortSignal): Promise<CertificateState> =>
  withLockPatience({ signal, lockWaitMs }, () => {
    const [present] = findPresent(database);
    return { hasMasterKey: true, ...(present === undefined ? {} : { thumbprint: thumbprintOf(present.certificate) }) };
  });

const checkLoss = (unreadable: number, { acceptUnreadableKeysIn }: CertificateCreateRequest): void => {
  if (unreadable === 0 || acceptUnreadableKeysIn?.toLowerCase() === databaseName) return;
  throw new EndpointError(
    "ResourceExists",
    `The site database holds ${plural(unreadable, "encrypted cell")} (keys, packages, TPM owners) that this ` +
      "certificate can't open, so it was not kept. Restore the certificate that encrypted them, or accept their loss by naming the database.",
  );
};

const changedMeanwhile = (): EndpointError =>
  unavailable("The site database was changed meanwhile. Try again in a moment.", "data_version differs");

interface Standing {
  readonly owner: boolean;
  readonly working: ReadonlySet<Grantee>;
}

/** The principals that can use the certificate now. */
const standingOf = (access: CertificateAccess): Standing => ({
  owner: works(() => access.ownedCertificate()),
  working: new Set(grantees.filter((grantee) => works(() => access.dataKeyFor(grantee)))),
});

const report = (certificate: Uint8Array, before: Standing, made: "created" | "restored"): CertificateMade => ({
  thumbprint: thumbprintOf(certificate),
  parts: [
    { part: "master key", result: "was there" },
    { part: certificateName, result: before.owner ? "was there" : made },
    ...grantees.map((grantee) => ({
      part: `CONTROL for ${grantee}`,
      result: before.working.has(grantee) ? ("was there" as const) : ("granted" as const),
    })),
  ],
});

/** Proves, still inside the transaction, that all three can use what was written; throws otherwise, so that nothing is. */
const checkAllCan = (access: CertificateAccess): void => {
  access.ownedCertificate();
  for (const grantee of grantees) access.dataKeyFor(grantee);
};

/** From the owner's copy of the private key: a data key where nothing was encrypted yet, and what permissions are missing. */
const mend = ({ database, access, keys }: MakeParts, encryptedCells: number): CertificateMade => {
  const owned = access.ownedCertificate();
  const [dataKey] = prepareArrays(
    database,
    "SELECT wrapped_key FROM data_keys WHERE certificate_id = ? ORDER BY data_key_id DESC LIMIT 1",
  )(owned.certificateId);
  // Whether it is ours is asked at the end, of whoever is to use it.
  if (dataKey !== undefined) unwrapDataKey(owned.privateKey, decodeBytes(dataKey[0], "wrapped_key"));
  else if (encryptedCells === 0) addDataKey(database, keys, owned);
  else
    throw unavailable("The key of the encrypted cells is missing. Restore the database from a backup.", "no data key");
  const before = standingOf(access);
  const pkcs8 = exportKey(owned.privateKey);
  try {
    for (const grantee of grantees)
      if (!before.working.has(grantee)) grantControl(database, keys, grantee, { ...owned, pkcs8 });
  } finally {
    pkcs8.fill(0);
  }
  checkAllCan(access);
  return report(owned.certificate, before, "created");
};

/** Makes what is missing: the certificate where there is none, else its permissions. Run again, it changes nothing. */
export const createCertificate = async (
  parts: MakeParts,
  request: CertificateCreateRequest,
  signal: AbortSignal,
): Promise<CertificateMade> => {
  const { database, access, keys, lockWaitMs } = parts;
  const patience = { signal, lockWaitMs };
  const version = await withLockPatience(patience, () => dataVersion(database));
  const isThere = await withLockPatience(patience, () => findPresent(database).length > 0);
  const encryptedCells = await countUnreadableCells(database, [], patience);
  if (!isThere) checkLoss(encryptedCells, request);
  const made: NewCertificate | undefined = isThere ? undefined : await createBitLockerCertificate(new Date());
  try {
    return await withLockPatience(patience, () =>
      writeTransaction(database, () => {
        if (dataVersion(database) !== version) throw changedMeanwhile();
        if (made === undefined) return mend(parts, encryptedCells);
        placeCertificate(database, keys, made);
        checkAllCan(access);
        return report(made.certificate, { owner: false, working: new Set() }, "created");
      }),
    );
  } finally {
    made?.privateKey.fill(0);
  }
};

/** Those of our data keys that this private key opens, the newest first: what proves that a certificate is the one the cells belong to. */
const findDataKeys = ({ database, keys }: MakeParts, privateKey: KeyObject): readonly OpenedDataKey[] => {
  const rows = prepareArrays(database, "SELECT wrapped_key, key_check FROM data_keys ORDER BY data_key_id DESC")();
  const ours = rows
    .map(([wrapped, check]) => ({
      wrapped: decodeBytes(wrapped, "wrapped_key"),
      check: decodeBytes(check, "key_check"),
    }))
    .filter(({ wrapped, check }) => isOurDataKey(keys, wrapped, check));
  return ours.flatMap(({ wrapped, check }) => {
    const dataKey = ifWorks(() => unwrapDataKey(privateKey, wrapped));
    return dataKey === undefined ? [] : [{ wrapped, check, dataKey }];
  });
};

/** Writes the backup's certificate over what is broken, or finds that nothing is. Inside a transaction. */
const bringBack = (
  { database, access, keys }: MakeParts,
  backup: OpenedBackup,
  opened: readonly OpenedDataKey[],
): CertificateMade => {
  const present = findPresent(database);
  const same = present.filter(({ certificate }) => Buffer.from(certificate).equals(backup.certificate));
  const isAlone = same.length === 1 && present.length === 1;
  const standing = standingOf(access);
  const before = isAlone ? standing : { owner: false, working: new Set<Grantee>() };
  if (before.owner && before.working.size === grantees.length) return report(backup.certificate, before, "restored");
  const privateKey = exportKey(backup.privateKey);
  try {
    placeCertificate(
      database,
      keys,
      { certificate: backup.certificate, privateKey },
      { opened, backedUpAt: same[0]?.backedUpAt ?? null },
    );
  } finally {
    privateKey.fill(0);
  }
  checkAllCan(access);
  return report(backup.certificate, before, "restored");
};

/** Brings the certificate of a backup back with its permissions; README, "Restoring". */
export const restoreCertificate = async (
  parts: MakeParts & { readonly backupDirectory: string },
  request: CertificateRestoreRequest,
  signal: AbortSignal,
): Promise<CertificateMade> => {
  const { database, lockWaitMs } = parts;
  const patience = { signal, lockWaitMs };
  const backup = await openOwnBackup(parts.backupDirectory, request);
  throwIfStopped(signal);
  const { version, opened, another, isOld } = await withLockPatience(patience, () => ({
    version: dataVersion(database),
    opened: findDataKeys(parts, backup.privateKey),
    another: findPresent(database).some(({ certificate }) => !Buffer.from(certificate).equals(backup.certificate)),
    isOld: findPresent(database, oldCertificateName).some(({ certificate }) =>
      Buffer.from(certificate).equals(backup.certificate),
    ),
  }));
  if (another && isOld)
    throw new EndpointError(
      "ResourceExists",
      `This is the backup of the old certificate. A renewal put another ${certificateName} in its place, which was left as it is. ` +
        "Restore the backup of the new one, or finish the renewal on the server: pep renew-cert.",
    );
  // One that opens the data key is the right one, whatever stands in its place meanwhile.
  if (another && opened.length === 0)
    throw new EndpointError(
      "ResourceExists",
      `Another ${certificateName} is there, and the backup's does not open the encrypted keys. It was left as it is.`,
    );
  const dataKeys = opened.map(({ dataKey }) => dataKey);
  checkLoss(await countUnreadableCells(database, dataKeys, patience), request);
  return withLockPatience(patience, () =>
    writeTransaction(database, () => {
      if (dataVersion(database) !== version) throw changedMeanwhile();
      return bringBack(parts, backup, opened);
    }),
  );
};
