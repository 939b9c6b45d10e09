import type { KeyObject } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import type { EndpointError } from "../../errors.ts";
import { isKeyOf, thumbprintOf } from "../key-files.ts";
import { parsePrivateKey } from "./certificate.ts";
import { openCell } from "./cells.ts";
import type { CellAddress, DataKeys } from "./cells.ts";
import { decodeBytes, decodeInteger } from "./columns.ts";
import { prepareArrays } from "./connection.ts";
import type { ArrayQuery } from "./connection.ts";
import { isOurDataKey, unwrapDataKey } from "./data-key.ts";
import { UnreadableCell, unavailable } from "./failures.ts";
import { deriveKeyObject } from "./master-key.ts";
import type { KeySource, MasterKey } from "./master-key.ts";
import { certificateName } from "./schema.ts";

export const ownerName = "RecoveryAndHardwareCore";
export const readerName = "RecoveryAndHardwareRead";
export const writerName = "RecoveryAndHardwareWrite";
/** Those that hold CONTROL by a permission row; the owner holds it by owning. */
export type Grantee = typeof readerName | typeof writerName;

export const copyAddress = (principal: string, certificateId: number, certificate: Uint8Array): CellAddress => ({
  table: principal === ownerName ? "sys_certificates" : "sys_database_permissions",
  column: "private_key",
  rowId: certificateId,
  subject: `${principal} ${thumbprintOf(certificate)}`,
});

/** Each principal's copy has a key of its own, so that one principal's copy is of no use in another's row. */
export const copyKey = (masterKey: KeySource, principal: string): KeyObject =>
  deriveKeyObject(masterKey, `pep private key copy 1 ${principal}`);

/** The certificate and its key as its owner holds them. */
export interface OwnedCertificate {
  readonly certificateId: number;
  readonly certificate: Uint8Array;
  readonly privateKey: KeyObject;
}

/** While keys move to a new certificate there are two. More than this can only have been put there by somebody without the master key. */
const mostDataKeys = 8;

const grantSql = `
SELECT c.certificate_id, c.certificate, p.private_key, d.wrapped_key, d.key_check
  FROM sys_certificates c
  JOIN sys_database_permissions p ON p.class = 25 AND p.major_id = c.certificate_id
  JOIN sys_database_principals u ON u.principal_id = p.grantee_principal_id
  JOIN data_keys d ON d.certificate_id = c.certificate_id
 WHERE c.name = ? AND u.name = ? AND p.permission_name = 'CONTROL' AND p.state IN ('G', 'W')
   AND NOT EXISTS (SELECT 1 FROM sys_database_permissions deny
                    WHERE deny.class = 25 AND deny.major_id = c.certificate_id AND deny.state = 'D'
                      AND deny.permission_name = 'CONTROL' AND deny.grantee_principal_id = u.principal_id)
 ORDER BY d.data_key_id DESC LIMIT ${mostDataKeys}`;

/** A permission that is there twice gives each data key twice. */
const distinct = (wrapped: readonly Uint8Array[]): readonly Uint8Array[] =>
  wrapped.filter((one, index) => wrapped.findIndex((other) => Buffer.compare(one, other) === 0) === index);

const ownerSql = `
SELECT c.certificate_id, c.certificate, c.private_key
  FROM sys_certificates c JOIN sys_database_principals u ON u.principal_id = c.principal_id
 WHERE c.name = ? AND u.name = ?`;

const noPrivateKey = (principal: string, error: unknown): EndpointError =>
  unavailable(
    "The certificate that protects the recovery keys can't be used.",
    new Error(`the private key of ${certificateName} does not open for ${principal}`, { cause: error }),
  );

/**
 * The three principals' rights to the certificate, as the database holds them at this moment.
 * Rows are read again at every call, so a right taken away stops the next batch even while the server runs. RSA costs
 * milliseconds, so an opened data key is kept, and used again only while the very same wrapped bytes stand in the rows.
 */
export class CertificateAccess {
  readonly #masterKey: MasterKey;
  readonly #findGrant: ArrayQuery;
  readonly #findOwned: ArrayQuery;
  readonly #countCertificates: ArrayQuery;
  readonly #opened = new Map<Grantee, { readonly wrapped: Buffer; readonly dataKeys: DataKeys }>();
  /** May recovery data stand in plain text? Chosen when the database was made, checked with the master key. */
  readonly plainTextAllowed: boolean;
  /** Of what is imported: tells "same" from "another", and opens nothing. */
  readonly fingerprintKey: KeyObject;

  constructor(database: DatabaseSync, masterKey: MasterKey, plainTextAllowed: boolean) {
    this.#masterKey = masterKey;
    this.plainTextAllowed = plainTextAllowed;
    this.fingerprintKey = deriveKeyObject(masterKey, "pep fingerprint 1");
    this.#findGrant = prepareArrays(database, grantSql);
    this.#findOwned = prepareArrays(database, ownerSql);
    this.#countCertificates = prepareArrays(database, "SELECT 1 FROM sys_certificates WHERE name = ?");
  }

  /** What a cell is encrypted with now: the newest of `dataKeysFor`. */
  dataKeyFor(grantee: Grantee): KeyObject | undefined {
    return this.dataKeysFor(grantee)[0];
  }

  /**
   * Everything that opens cells, the newest first; a second one is there while keys move to a new certificate.
   * None only where there is no certificate and plain text is allowed; throws when the principal has no right.
   */
  dataKeysFor(grantee: Grantee): DataKeys {
    const rows = this.#findGrant(certificateName, grantee);
    const [row] = rows;
    if (row === undefined) {
      this.#opened.delete(grantee);
      if (this.#countCertificates(certificateName).length > 0)
        throw unavailable(
          "The site database lacks a permission on the certificate that protects the recovery keys.",
          `${grantee} has no CONTROL on ${certificateName}, or the certificate has no data key`,
        );
      if (this.plainTextAllowed) return [];
      throw unavailable(
        "The certificate that protects the recovery keys is missing.",
        `${grantee} needs ${certificateName}, which is not there`,
      );
    }
    const certificateId = decodeInteger(row[0], "certificate_id");
    const certificate = decodeBytes(row[1], "certificate");
    const copy = decodeBytes(row[2], "private_key");
    const keys = rows.map((each) => ({
      wrapped: decodeBytes(each[3], "wrapped_key"),
      check: decodeBytes(each[4], "key_check"),
    }));
    const wrapped = Buffer.concat([certificate, copy, ...keys.flatMap(({ wrapped: key, check }) => [key, check])]);
    const known = this.#opened.get(grantee);
    if (known?.wrapped.equals(wrapped)) return known.dataKeys;
    this.#opened.delete(grantee);
    // Older ones that somebody else put there open nothing; as the newest, one would encrypt what is imported.
    const ours = keys.filter(({ wrapped: key, check }) => isOurDataKey(this.#masterKey, key, check));
    if (ours[0] !== keys[0])
      throw unavailable(
        "The certificate that protects the recovery keys can't be used.",
        `the newest data key of ${certificateName} was put there by somebody without the master key, or is damaged`,
      );
    const privateKey = this.#openCopy(grantee, certificateId, certificate, copy);
    const dataKeys = distinct(ours.map((each) => each.wrapped)).map((key) => unwrapDataKey(privateKey, key));
    this.#opened.set(grantee, { wrapped, dataKeys });
    return dataKeys;
  }

  /** The certificate and its private key, opened as their owner. */
  ownedCertificate(name: string = certificateName): OwnedCertificate {
    const row = this.#findOwned(name, ownerName)[0];
    if (row === undefined)
      throw unavailable(
        "The certificate that protects the recovery keys is missing.",
        `${name} owned by ${ownerName} is not there`,
      );
    const certificateId = decodeInteger(row[0], "certificate_id");
    const certificate = decodeBytes(row[1], "certificate");
    const copy = decodeBytes(row[2], "private_key");
    return { certificateId, certificate, privateKey: this.#openCopy(ownerName, certificateId, certificate, copy) };
  }

  close(): void {
    this.#opened.clear();
    this.#masterKey.close();
  }

  #openCopy(principal: string, certificateId: number, certificate: Uint8Array, copy: Uint8Array): KeyObject {
    try {
      const address = copyAddress(principal, certificateId, certificate);
      const pkcs8 = openCell(copyKey(this.#masterKey, principal), address, copy);
      try {
        const privateKey = parsePrivateKey(pkcs8);
        if (!isKeyOf(certificate, privateKey)) throw new UnreadableCell("the private key is another certificate's");
        return privateKey;
      } finally {
        pkcs8.fill(0);
      }
    } catch (error) {
      throw noPrivateKey(principal, error);
    }
  }
}
