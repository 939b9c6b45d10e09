import { createSecretKey, randomBytes } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { sealCell } from "./cells.ts";
import type { NewCertificate } from "./certificate.ts";
import { decodeInteger } from "./columns.ts";
import { prepareArrays } from "./connection.ts";
import { checkOfDataKey, wrapDataKey } from "./data-key.ts";
import { copyAddress, copyKey, ownerName, readerName, writerName } from "./principals.ts";
import type { KeySource } from "./master-key.ts";
import type { Grantee } from "./principals.ts";
import { certificateName } from "./schema.ts";

/*
 * What stands in the catalogue about the certificate, written. Each function is one part of a transaction of its caller's.
 */

export const grantees = [readerName, writerName] as const;

const principalId = (database: DatabaseSync, name: string): number => {
  database.prepare("INSERT INTO sys_database_principals (name) VALUES (?) ON CONFLICT (name) DO NOTHING").run(name);
  const row = prepareArrays(database, "SELECT principal_id FROM sys_database_principals WHERE name = ?")(name)[0];
  return decodeInteger(row?.[0], "principal_id");
};

export interface CertificateRow {
  readonly certificateId: number;
  readonly certificate: Uint8Array;
}

interface OpenCertificate extends CertificateRow {
  readonly pkcs8: Uint8Array;
}

const sealedCopy = (
  keys: KeySource,
  principal: string,
  { certificateId, certificate, pkcs8 }: OpenCertificate,
): Uint8Array => sealCell(copyKey(keys, principal), copyAddress(principal, certificateId, certificate), pkcs8);

/** Gives a principal CONTROL with a copy of the private key. As GRANT does, it takes an earlier DENY back. */
export const grantControl = (database: DatabaseSync, keys: KeySource, grantee: Grantee, row: OpenCertificate): void => {
  const id = principalId(database, grantee);
  database
    .prepare(
      `DELETE FROM sys_database_permissions
        WHERE class = 25 AND permission_name = 'CONTROL' AND major_id = ? AND grantee_principal_id = ?`,
    )
    .run(row.certificateId, id);
  database
    .prepare(
      `INSERT INTO sys_database_permissions
         (class, major_id, grantee_principal_id, grantor_principal_id, permission_name, state, private_key)
       VALUES (25, ?, ?, ?, 'CONTROL', 'G', ?)`,
    )
    .run(row.certificateId, id, principalId(database, ownerName), sealedCopy(keys, grantee, row));
};

/**
 * The number behind a row that has none there. SQLite's own would be by chance where somebody put a row under the highest id: Node throws
 * at a number that large, at this statement and at every one after it.
 */
const freeDataKeyId = `
SELECT coalesce(min(data_key_id), 0) + 1 FROM data_keys before
 WHERE data_key_id BETWEEN 1 AND ${Number.MAX_SAFE_INTEGER - 1}
   AND NOT EXISTS (SELECT 1 FROM data_keys WHERE data_key_id = before.data_key_id + 1)`;

/** Puts a data key under a certificate; of several under one, the one that was put there last is the newest. */
const wrapFor = (
  database: DatabaseSync,
  keys: KeySource,
  { certificateId, certificate }: CertificateRow,
  dataKey: Uint8Array,
): void => {
  const wrapped = wrapDataKey(certificate, dataKey);
  database
    .prepare(
      `INSERT INTO data_keys (data_key_id, certificate_id, wrapped_key, key_check) VALUES ((${freeDataKeyId}), ?, ?, ?)`,
    )
    .run(certificateId, wrapped, checkOfDataKey(keys, wrapped));
};

/** Lets another certificate open a data key, too. */
export const addOpener = (database: DatabaseSync, keys: KeySource, row: CertificateRow, dataKey: KeyObject): void => {
  const bytes = dataKey.export();
  try {
    wrapFor(database, keys, row, bytes);
  } finally {
    bytes.fill(0);
  }
};

/**
 * Makes the key of the cells, wrapped by the certificate.
 *
 * @returns the very key: whoever looked for it in the file might find one that somebody else put there
 */
export const addDataKey = (database: DatabaseSync, keys: KeySource, row: CertificateRow): KeyObject => {
  const dataKey = randomBytes(32);
  try {
    wrapFor(database, keys, row, dataKey);
    return createSecretKey(dataKey);
  } finally {
    dataKey.fill(0);
  }
};

/** Takes a certificate out of the catalogue, with its owner's copy of the key and its permissions. */
export const removeCertificate = (database: DatabaseSync, name: string): void => {
  database
    .prepare(
      `DELETE FROM sys_database_permissions
        WHERE class = 25 AND major_id IN (SELECT certificate_id FROM sys_certificates WHERE name = ?)`,
    )
    .run(name);
  database.prepare("DELETE FROM sys_certificates WHERE name = ?").run(name);
};

/** A data key with what its row holds: its id says nothing, as anybody may have given it. */
export interface OpenedDataKey {
  readonly wrapped: Uint8Array;
  readonly check: Uint8Array;
  readonly dataKey: KeyObject;
}

const nextCertificateId = (database: DatabaseSync): number =>
  decodeInteger(
    prepareArrays(
      database,
      `SELECT 1 + max(coalesce((SELECT max(certificate_id) FROM sys_certificates), 0),
                      coalesce((SELECT max(certificate_id) FROM data_keys), 0),
                      coalesce((SELECT max(major_id) FROM sys_database_permissions), 0))`,
    )()[0]?.[0],
    "certificate_id",
  );

/**
 * Writes certificate, owner and both permissions in place of whatever has the name, under an id that nothing refers to yet.
 * It has no data key then.
 */
export const placeRow = (
  database: DatabaseSync,
  keys: KeySource,
  { certificate, privateKey }: NewCertificate,
  backedUpAt: number | null,
): CertificateRow => {
  const row = { certificateId: nextCertificateId(database), certificate, pkcs8: privateKey };
  removeCertificate(database, certificateName);
  database
    .prepare(
      `INSERT INTO sys_certificates
         (certificate_id, name, principal_id, pvt_key_encryption_type, certificate, private_key, pvt_key_last_backup_date)
       VALUES (?, ?, ?, 'MK', ?, ?, ?)`,
    )
    .run(
      row.certificateId,
      certificateName,
      principalId(database, ownerName),
      certificate,
      sealedCopy(keys, ownerName, row),
      backedUpAt,
    );
  for (const grantee of grantees) grantControl(database, keys, grantee, row);
  return row;
};

/**
 * Places a certificate, and what it opens.
 *
 * @param keep with the data keys it is to open from now on, the newest first; without one a new one is made
 * @returns the newest data key
 */
export const placeCertificate = (
  database: DatabaseSync,
  keys: KeySource,
  made: NewCertificate,
  keep?: { readonly opened?: readonly OpenedDataKey[]; readonly backedUpAt: number | null },
): KeyObject => {
  const row = placeRow(database, keys, made, keep?.backedUpAt ?? null);
  const [newest] = keep?.opened ?? [];
  if (newest === undefined) return addDataKey(database, keys, row);
  const take = database.prepare("UPDATE data_keys SET certificate_id = ? WHERE wrapped_key = ? AND key_check = ?");
  for (const { wrapped, check } of keep?.opened ?? []) take.run(row.certificateId, wrapped, check);
  return newest.dataKey;
};

/** The private key as it is sealed: PKCS #8, not encrypted. The caller zeroes it. */
export const exportKey = (privateKey: KeyObject): Buffer => privateKey.export({ format: "der", type: "pkcs8" });
