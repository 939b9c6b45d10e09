import type { Secret } from "../secret.ts";

/** Named as in Win32_EncryptableVolume; `Unknown` where the source of the data did not say. */
export const volumeTypes = ["OperatingSystem", "FixedData", "Removable", "Unknown"] as const;
export type VolumeType = (typeof volumeTypes)[number];

/**
 * What is known of a key's place among its volume's. `Current`: none is newer. `Replaced`: a newer one is there. `Older`: the data that
 * it came with named no volume, and a newer key of the same computer and kind of volume is there: its own or another drive's.
 */
export type KeyState = "Current" | "Replaced" | "Older";

/** One recovery password of one volume on one computer. */
export interface RecoveryKey {
  /** GUID of the key protector, upper case, without braces: the "password id" of `manage-bde`. */
  readonly passwordId: string;
  /** 48 digits in eight groups with hyphens; labelled with its password id and computer name. */
  readonly recoveryKey: Secret;
  readonly computerName: string;
  /** As Windows named it. Absent where no source did. */
  readonly volumeId: string | undefined;
  readonly volumeType: VolumeType;
  /** ISO 8601, UTC, milliseconds: `2026-11-22T09:30:00.000Z`. */
  readonly lastUpdateTime: string;
  /** Read by someone already, so the client will be told to rotate it. */
  readonly disclosed: boolean;
  /** Where the query asked for it. */
  readonly state: KeyState | undefined;
}

/** Which keys; every part given must hold. No part at all means every key of the site. */
export interface RecoveryKeyQuery {
  /** Exact names, compared without case; any of them. */
  readonly computerNames?: readonly string[];
  /** Upper-case hexadecimal digits and hyphens of a GUID: whole (36 characters) or a prefix of at least 8. Any of them. */
  readonly passwordIds?: readonly string[];
  readonly volumeTypes?: readonly VolumeType[];
  /** Keys whose LastUpdateTime is this or later. */
  readonly since?: Date;
  /** Only keys whose state is `Current`; several of one volume, where they are of one time. */
  readonly latest?: boolean;
  /** Say each key's state: a question more a key, so an export leaves it out. */
  readonly withState?: boolean;
}

/** Named as in Windows PowerShell's `KeyProtectorType`, but for the certificate of a data recovery agent. */
type ProtectorType = "ExternalKey" | "DataRecoveryAgent";

/**
 * `Managed`: BitLocker's own, to unlock a drive without asking; it dies with its Windows installation. `Recovery`: kept outside, for a drive
 * that no installation opens any more.
 */
export type KeyCategory = "Managed" | "Recovery";

/** Another way into a volume than a recovery password. */
export interface OtherProtector {
  /** GUID, upper case, without braces. */
  readonly protectorId: string;
  readonly protectorType: ProtectorType;
  /** Absent where the data did not say. */
  readonly category: KeyCategory | undefined;
  /** Of an external key, on a stick or a share. Absent where the data did not say. */
  readonly fileName: Secret | undefined;
  /** Of the certificate whose private key opens the volume. Absent where the data did not say. */
  readonly thumbprint: Secret | undefined;
  readonly computerName: string;
  readonly volumeId: string | undefined;
  readonly volumeType: VolumeType;
  /** ISO 8601, UTC, milliseconds. */
  readonly lastUpdateTime: string;
}

/** Which volumes' protectors. An id is a key's or a protector's own. Where its data named no volume, its computer's same kind of volume counts. */
export type ProtectorQuery = Pick<RecoveryKeyQuery, "computerNames" | "passwordIds" | "volumeTypes">;

/** The hash of a TPM's owner password, which resets the TPM's lockout. */
export interface TpmPasswordHash {
  readonly computerName: string;
  /** 20 bytes in base64; labelled with its computer. */
  readonly hash: Secret;
  /** ISO 8601, UTC, milliseconds. */
  readonly lastUpdateTime: string;
}

/** How many keys a site database has, and which one that is. */
export interface KeysStored {
  /** Names it, so that what was taken from another is never held against it. */
  readonly database: string;
  readonly keys: number;
}

/** What was stored when a collection of every key began. */
export interface Collected {
  readonly database: string;
  readonly stored: number;
  /** ISO 8601, UTC. */
  readonly began: string;
}

/** Keys that wait to be collected. */
export interface KeysWaiting {
  readonly keys: number;
  /** When the collection began that they came after. Absent where none counts: these are all keys. */
  readonly since?: string;
}

/** What of a key a role's rule can bound. */
export type BoundField = "computerName" | "volumeType";

/** A rule on one field. */
interface FieldBound {
  readonly allows: (value: string) => boolean;
  /** Every value that it allows, where these can be named. */
  readonly values?: readonly string[];
}

/** Which keys are there for a user: each rule given must hold. */
export type KeyBounds = { readonly [Field in BoundField]?: FieldBound };

/** One check of BitLockerManagement_CERT. */
export interface CertificateFinding {
  /** Short and stable, for scripts: `certificate`, `owner`, `key-protection`, `control`, … */
  readonly check: string;
  /** `advice` is worth reading but leaves the certificate valid (never backed up, expires soon). */
  readonly weight: "required" | "advice";
  readonly passed: boolean;
  /** One sentence: what was found, and when it failed what to do. */
  readonly finding: string;
}

export interface CertificateVerification {
  /** What Microsoft's own script answers: at least three of the three principals hold or granted CONTROL. */
  readonly microsoftCheck: boolean;
  /** Microsoft's check and every required finding. */
  readonly valid: boolean;
  readonly findings: readonly CertificateFinding[];
  /** Absent: there is no certificate, or it can't be seen. */
  readonly thumbprints?: CertificateThumbprints;
}

/** Of the DER certificate, hexadecimal, lower case. */
export interface CertificateThumbprints {
  /** What SQL Server and Windows call the thumbprint. */
  readonly sha1: string;
  /** What this endpoint's commands show. */
  readonly sha256: string;
}

export interface CertificateBackupRequest {
  /** Letters, digits, `_` and `-`: the base name of the files. */
  readonly name: string;
  /** `Pkcs8`: DER certificate `NAME.cer` and encrypted PKCS#8 `NAME.key`; `Pfx`: one file `NAME.pfx`. */
  readonly form: "Pkcs8" | "Pfx";
  readonly password: Secret;
}

export interface CertificateBackup {
  /** SHA-256 of the DER certificate, hexadecimal, lower case. */
  readonly thumbprint: string;
  readonly files: readonly { readonly fileName: string; readonly bytes: number; readonly sha256: string }[];
}

/** What there is, asked before create and restore: whether a master key's password is needed, and what a person agrees to. */
export interface CertificateState {
  readonly hasMasterKey: boolean;
  /** SHA-256 of the DER certificate, hexadecimal, lower case. Absent: there is none. */
  readonly thumbprint?: string;
  /** Sentences for a person who is about to create one here: where it would not work. */
  readonly warning?: string;
}

export interface CertificateCreateRequest {
  /** For a master key, where the database has none. */
  readonly masterKeyPassword?: Secret;
  /**
   * The database's name, typed by the person who accepts that encrypted keys which the certificate can't open stay lost.
   * Without it such a certificate is not kept.
   */
  readonly acceptUnreadableKeysIn?: string;
}

/** A backup that `backupCertificate` made. */
export interface CertificateRestoreRequest extends CertificateCreateRequest {
  readonly name: string;
  readonly form: CertificateBackupRequest["form"];
  /** The backup's. Not held against today's rule: what opened the backup once opens it now. */
  readonly password: Secret;
}

export interface CertificateMade {
  readonly thumbprint: string;
  /** One for the master key, one for the certificate, one for each permission: what was there already was left alone. */
  readonly parts: readonly {
    readonly part: string;
    readonly result: "created" | "restored" | "granted" | "was there";
  }[];
}

/** A key without its text. */
export type ListedKey = Omit<RecoveryKey, "recoveryKey">;

/** What a search looks for: keys of which one of the two is a part. */
export interface KeySearch {
  /** Part of a computer's name. Every character stands for itself. */
  readonly name: string | undefined;
  /** Part of a key id: hexadecimal digits and hyphens, upper case. */
  readonly keyId: string | undefined;
}

/** Stored names, as they are stored. */
export interface NamedComputers {
  /** The very name, without case. */
  readonly same: readonly string[];
  /** The same first label: of a short name those with a domain, of one with a domain the short one (`shortComputerName`). */
  readonly other: readonly string[];
}

/** More computers of one short name than this are not told apart by a list. */
export const mostNamesakes = 1000;

/**
 * A site's recovery data, as commands see it. Implementations translate every failure of their own into an
 * `EndpointError` (usually `ResourceUnavailable`) and yield nothing half-decrypted: a key that can't be opened is an error.
 * Each method stops soon after `signal` aborts, with `OperationStopped`.
 */
export interface SiteDatabase {
  /** Which stored computers a name may mean. Says nothing of their keys. */
  findComputers(name: string, signal: AbortSignal): Promise<NamedComputers>;
  /** Lists keys by a part of a name or id, each row once, with its state. Decrypts nothing, and looks no further than it is read. */
  searchKeys(search: KeySearch, signal: AbortSignal): AsyncIterable<readonly ListedKey[]>;
  countRecoveryKeys(query: RecoveryKeyQuery, signal: AbortSignal): Promise<number>;
  /** Cheap: reads no key. Asked before a collection begins. @returns undefined where not every key is seen */
  keysStored(signal: AbortSignal): Promise<KeysStored | undefined>;
  /** Cheap: the keys that came after what was collected; every one where nothing counts as collected. */
  keysSince(before: Collected | undefined, signal: AbortSignal): Promise<KeysWaiting>;
  /**
   * Reads keys and marks none. Batches of at most a few hundred rows, fetched only when asked for, in a stable order; ending the
   * iteration closes the cursor.
   */
  readRecoveryKeys(query: RecoveryKeyQuery, signal: AbortSignal): AsyncIterable<readonly RecoveryKey[]>;
  /**
   * Marks keys as disclosed, as RecoveryAndHardwareRead.GetRecoveryKey does, so that their clients replace them. Durable once it
   * resolves. Rejects where one of them can't be marked or is not there: then none of them is to be shown, though some may be marked.
   *
   * @param passwordIds whole ones
   */
  markDisclosed(passwordIds: readonly string[], reason: string, signal: AbortSignal): Promise<void>;
  /**
   * Whether a key has a recovery package. Opens none and marks nothing.
   *
   * @param passwordId a whole one
   * @returns undefined where only giving it tells
   */
  hasRecoveryPackage(passwordId: string, signal: AbortSignal): Promise<boolean | undefined>;
  /**
   * Gives the newest recovery package of a key in base64, and marks the key as disclosed: GetRecoveryKey can't do one without the other.
   * The mark is durable once it resolves.
   *
   * @param passwordId a whole one
   * @returns undefined where the key has none; it may be marked nevertheless
   */
  takeRecoveryPackage(passwordId: string, reason: string, signal: AbortSignal): Promise<Secret | undefined>;
  /**
   * Reads what else opens volumes, as `readRecoveryKeys` reads keys. Marks nothing: no client replaces these.
   *
   * @throws EndpointError ResourceUnavailable where this kind of site keeps none
   */
  readProtectors(query: ProtectorQuery, signal: AbortSignal): AsyncIterable<readonly OtherProtector[]>;
  /**
   * Reads the hashes of one computer's TPM, the newest first.
   *
   * @param computerName as it is stored
   * @throws EndpointError ResourceUnavailable where this kind of site gives none
   */
  readTpmPasswordHashes(computerName: string, signal: AbortSignal): Promise<readonly TpmPasswordHash[]>;
  verifyCertificate(signal: AbortSignal): Promise<CertificateVerification>;
  /**
   * Writes the certificate and its private key into the configured backup directory, exclusively, 0600, all files or none,
   * and reads them back before it answers. Throws `ResourceExists` when a file is there, `InvalidArgument` when the
   * password breaks the policy.
   */
  backupCertificate(request: CertificateBackupRequest, signal: AbortSignal): Promise<CertificateBackup>;
  findCertificate(signal: AbortSignal): Promise<CertificateState>;
  /** Master key, certificate and permissions: makes what is missing, leaves alone what is there. */
  createCertificate(request: CertificateCreateRequest, signal: AbortSignal): Promise<CertificateMade>;
  /**
   * Brings back, from the configured backup directory, what is missing of the certificate in the backup: all or nothing. Throws
   * `ResourceExists` when another certificate is there, or when encrypted keys would stay closed and nobody accepted that;
   * `InvalidArgument` when the password or the private key is not the backup's.
   */
  restoreCertificate(request: CertificateRestoreRequest, signal: AbortSignal): Promise<CertificateMade>;
  close(): Promise<void>;
}
