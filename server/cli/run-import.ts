import { openEventLog } from "../audit/event-log.ts";
import { pathsIn, readConfiguration } from "../configuration.ts";
import { connectControl } from "../control/control-socket.ts";
import { openRecoveryRecordWriter } from "../site-database/embedded/index.ts";
import { importCommand } from "./import.ts";
import type { Io } from "./io.ts";
import { readMasterKey } from "./master-key.ts";
import { findEmbeddedSite } from "./site.ts";

export interface ImportOptions {
  readonly dataDirectory: string;
  readonly files: readonly string[];
  readonly computerName: string | undefined;
  readonly skipInvalid: boolean;
}

/**
 * `pep import`: on the record through the running server, or through the log itself, under its lock, when none runs
 * (design §9: one writer).
 */
export const runImport = async (options: ImportOptions, signal: AbortSignal, io: Io): Promise<number> => {
  const paths = pathsIn(options.dataDirectory);
  const configuration = readConfiguration(options.dataDirectory, paths.endpoint);
  const site = findEmbeddedSite(configuration);
  const remote = await connectControl(paths.control);
  const log = remote ?? (await openEventLog({ directory: paths.log, now: io.now, uptimeMs: io.uptimeMs }));
  try {
    const writer = openRecoveryRecordWriter({
      file: site.file,
      masterKey: readMasterKey(site),
    });
    try {
      return await importCommand({
        files: options.files,
        computerName: options.computerName,
        skipInvalid: options.skipInvalid,
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
    if ("close" in log && typeof log.close === "function") await log.close();
  }
};
