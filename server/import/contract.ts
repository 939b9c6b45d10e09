import type { GivenColumns } from "./layout.ts";
import type { SiteRecord } from "../site-database/recovery-record.ts";

/** One thing that is wrong with a file, for the administrator. Never quotes what stands in the file. */
export interface Problem {
  readonly line: number;
  readonly message: string;
}

export interface ReadOptions {
  /** For texts and tables that name no computer; for Graph it replaces the device id. */
  readonly computerName?: string | undefined;
  /** Names of columns and properties by what they hold (`--column`). */
  readonly columns?: GivenColumns | undefined;
  /** Names of devices by their ids in lower case (`--device-names`); a device that is not among them keeps its id. */
  readonly deviceNames?: ReadonlyMap<string, string> | undefined;
  /** What was read already, instead of the file's content: standard input. */
  readonly bytes?: AsyncIterable<Uint8Array> | undefined;
  /** Given (`--skip-invalid`): an invalid record is told here and left out. Absent: it stops the file. */
  readonly onSkipped?: ((problem: Problem) => void) | undefined;
  /** A protector that is no recovery information (TPM, PIN, passphrase, smart card). */
  readonly onPassedOver?: ((line: number) => void) | undefined;
  /** A computer of which the file says that it has no key ("Key Not Found"). */
  readonly onWithoutKey?: ((line: number) => void) | undefined;
  /** Every chunk as it is read, for progress and digest. */
  readonly onBytes?: ((bytes: Uint8Array) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Where recovery records go. `importFile` keeps all of a file or, when it rejects, nothing of it. */
export interface RecoveryRecordWriter {
  importFile(
    records: AsyncIterable<SiteRecord>,
    options: { readonly onProgress: (count: number) => void; readonly signal: AbortSignal },
  ): Promise<{ readonly added: number; readonly unchanged: number; readonly tpmPasswordHashes?: number }>;
}
