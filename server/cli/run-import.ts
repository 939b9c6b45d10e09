import { pathsIn, readConfiguration } from "../configuration.ts";
import { openRecoveryRecordWriter } from "../site-database/embedded/index.ts";
import { importCommand } from "./import.ts";
import type { Io } from "./io.ts";
import { readMasterKey } from "../site-database/embedded/configured-master-key.ts";
import { importRecord, openLocalRecord } from "./local-record.ts";
import { findEmbeddedSite } from "./site.ts";

export interface ImportOptions {
  readonly dataDirectory: string;
  readonly files: readonly string[];
  readonly computerName: string | undefined;
  readonly skipInvalid: boolean;
  readonly columns: readonly string[];
  readonly deviceNames: string | undefined;
}

/** `pep import`: on the record through the running server, or through the log itself, under its lock, when none runs. */
export const runImport = async (options: ImportOptions, signal: AbortSignal, io: Io): Promise<number> => {
  const paths = pathsIn(options.dataDirectory);
  const configuration = readConfiguration(options.dataDirectory, paths.endpoint);
  const site = findEmbeddedSite(configuration);
  const log = await openLocalRecord(paths, io);
  try {
    const writer = openRecoveryRecordWriter({
      file: site.file,
      masterKey: readMasterKey(site),
      record: importRecord(log),
    });
    try {
      return await importCommand({
        files: options.files,
        computerName: options.computerName,
        skipInvalid: options.skipInvalid,
        columns: options.columns,
        deviceNames: options.deviceNames,
        readInput: () => io.stdin.readBytes(),
        log,
        writer,
        localUser: io.localUser,
        stderr: io.stderr,
        signal,
      });
    } finally {
      await writer.close();
    }
  } finally {
    await log.close();
  }
};
