import type { Secret } from "../secret.ts";
import type { KeyCategory, VolumeType } from "../command/site-database.ts";

/** A key protector as recovery data describes it: the three kinds of a volume that can be recovered. */
export type KeyProtector =
  | { readonly kind: "NumericalPassword"; readonly keyId: string; readonly recoveryPassword: Secret }
  | {
      readonly kind: "ExternalKey";
      readonly keyId: string;
      readonly fileName?: string;
      /** Absent where the file does not say. */
      readonly category?: KeyCategory;
    }
  | { readonly kind: "DataRecoveryAgent"; readonly keyId: string; readonly certificateThumbprint?: string };

/** One key protector read from a file of recovery data, checked: ids are upper-case GUIDs, passwords well-formed. */
export interface RecoveryRecord {
  /** Line of the file it began on, from 1; for messages. */
  readonly line: number;
  readonly computerName: string;
  /** Upper-case GUID. Absent where the file names no volume: the importer then keeps one volume a protector. */
  readonly volumeId?: string;
  readonly volumeType: VolumeType;
  readonly protector: KeyProtector;
  /** When the protector was made or escrowed, ISO 8601 UTC; absent where the file does not say. */
  readonly lastUpdateTime?: string;
  /** BitLocker recovery (key) package, at most 7,000 bytes. */
  readonly recoveryPackage?: Uint8Array;
  /** base64 of the SHA-1 of the TPM owner password, 28 characters. */
  readonly tpmPasswordHash?: Secret;
}

/** What recovery data tells of a computer's TPM, without a key. */
export type TpmRecord = Pick<RecoveryRecord, "line" | "computerName" | "lastUpdateTime"> & {
  readonly tpmPasswordHash: Secret;
};

/** What a file of recovery data can hold. */
export type SiteRecord = RecoveryRecord | TpmRecord;
