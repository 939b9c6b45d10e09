import { thumbprintOf } from "./certificate-files.ts";
import type { CertificatePair } from "./certificate-files.ts";
import type { IdType, ModelKey, SiteTables, TimeType } from "./tables.ts";

/** What the model's login may do; all of it unless a test takes some away. */
export const modelPermissions = [
  "SELECT on the tables",
  "EXECUTE DecryptString",
  "EXECUTE GetRecoveryKey",
  "see the certificate",
  "CONTROL on the certificate",
  "CONTROL on the database",
  "ADMINISTER BULK OPERATIONS",
] as const;
export type ModelPermission = (typeof modelPermissions)[number];

export interface SiteShape {
  readonly keyIdType: IdType;
  readonly volumeIdType: "int" | "uniqueidentifier";
  readonly timeType: TimeType;
  /** The type of RecoveryKey: bytes where it is encrypted, text where it may be plain. */
  readonly keyColumn: "varbinary" | "varchar";
  readonly hasVolumeGuid: boolean;
  readonly hasTypeName: boolean;
  /** Parameters of DecryptString; 0 where there is no such function. */
  readonly decryptParameters: 0 | 1 | 2;
  readonly hasGetRecoveryKey: boolean;
  /** GetRecoveryKey gives recovery packages: MBAM's does. */
  readonly hasPackages: boolean;
  readonly hasGetTpm: boolean;
  /** 16 is SQL Server 2022. */
  readonly majorVersion: number;
}

export const principals = ["RecoveryAndHardwareCore", "RecoveryAndHardwareRead", "RecoveryAndHardwareWrite"] as const;

export interface StoredCertificate {
  readonly pair: CertificatePair;
  readonly thumbprint: string;
  readonly owner: string;
  /** `MK`: by the master key; `NA`: there is no private key; `PW`: by a password. */
  readonly protection: "MK" | "NA" | "PW";
  /** Who has CONTROL by a grant. */
  readonly grants: ReadonlySet<string>;
  readonly lastBackupAt: Date | undefined;
}

type MasterKey = "absent" | "opens by itself" | "closed";

interface Disclosure {
  readonly keyId: string;
  readonly reason: string;
  readonly user: string;
}

/** A site. Tests change it while it runs; statements change it as the real ones would. */
export interface SiteState {
  readonly databaseName: string;
  readonly shape: SiteShape;
  readonly tables: SiteTables;
  readonly permissions: Set<ModelPermission>;
  /** `primary`, or a replica that takes no writes; `by intent`: read-only for logins with ApplicationIntent=ReadOnly. */
  role: "primary" | "secondary" | "by intent";
  masterKey: MasterKey;
  /** By name. */
  certificates: ReadonlyMap<string, StoredCertificate>;
  readonly disclosures: Disclosure[];
  readonly disclosed: Set<string>;
  /** The server's disk; only what lies in `backupDirectory` can be written. */
  readonly files: Map<string, Buffer>;
  readonly backupDirectory: string;
  /** What a connection with an open transaction goes back to. */
  readonly transactions: Map<number, Pick<SiteState, "masterKey" | "certificates">>;
}

export const certificateName = "BitLockerManagement_CERT";

/** May the login see the certificate, as sys.certificates does it: a row, or none. */
export const visibleCertificate = (state: SiteState, name: string = certificateName): StoredCertificate | undefined =>
  state.permissions.has("see the certificate") || state.permissions.has("CONTROL on the certificate")
    ? state.certificates.get(name)
    : undefined;

export const storedCertificate = (pair: CertificatePair, owner: string): StoredCertificate => ({
  pair,
  thumbprint: thumbprintOf(pair),
  owner,
  protection: pair.privateKey === undefined ? "NA" : "MK",
  grants: new Set(),
  lastBackupAt: undefined,
});

/** Can the private key be used? It needs the master key open. */
export const isUsable = (state: SiteState, certificate: StoredCertificate | undefined): boolean =>
  certificate?.pair.privateKey !== undefined &&
  certificate.protection === "MK" &&
  state.masterKey === "opens by itself";

/** RecoveryAndHardwareCore.DecryptString: NULL, never an error, where something is missing. Runs as RecoveryAndHardwareRead. */
export const decrypted = (state: SiteState, key: ModelKey): string | null => {
  const certificate = state.certificates.get(certificateName);
  if (certificate === undefined || key.encryptedBy !== certificate.thumbprint) return null;
  const mayUse = certificate.grants.has("RecoveryAndHardwareRead");
  return mayUse && isUsable(state, certificate) ? key.recoveryKey : null;
};

/** What a statement reads: the text itself where the column holds it, else what DecryptString gives. */
export const readableKey = (state: SiteState, key: ModelKey): string | null =>
  key.encryptedBy === undefined ? key.recoveryKey : decrypted(state, key);

export const isReadOnly = (state: SiteState, request: { readonly readOnlyIntent: boolean }): boolean =>
  state.role === "secondary" || (state.role === "by intent" && request.readOnlyIntent);
