import { open, stat, type FileHandle } from "node:fs/promises";
import { EndpointError } from "../errors.ts";
import type { SiteRecord } from "../site-database/recovery-record.ts";
import type { ReadOptions } from "./contract.ts";
import { decodeText, lookAhead } from "./decode-text.ts";
import { decodeComputerName } from "./fields.ts";
import { findReader } from "./forms.ts";
import { PasswordAccount } from "./password-account.ts";
import { BrokenFile, FileReading } from "./reading.ts";

const chunkBytes = 64 * 1024;
/** A header row, or the lines above the first protector, stand well within it. */
const headCharacters = 16 * 1024;

/** A file's name for a terminal: control characters and direction marks could hide what is said. */
export const printableFileName = (path: string): string => path.replace(/\p{C}/gu, "\uFFFD");

const explainFailure = (path: string, error: unknown): unknown => {
  if (!(error instanceof Error) || !("code" in error)) return error;
  const name = printableFileName(path);
  switch (error.code) {
    case "ENOENT":
    case "ENOTDIR":
      return new EndpointError("ObjectNotFound", `${name}: there is no such file.`, { cause: error });
    case "EACCES":
    case "EPERM":
      return new EndpointError("ResourceUnavailable", `${name}: this account may not read it.`, { cause: error });
    case "ERR_INVALID_ARG_VALUE":
      return new EndpointError("InvalidArgument", `${name}: this is not a file's name.`, { cause: error });
    default:
      return new EndpointError("ResourceUnavailable", `${name}: it can't be read (${String(error.code)}).`, {
        cause: error,
      });
  }
};

const openFile = async (path: string): Promise<FileHandle> => {
  // Before it is opened: opening a named pipe waits for whoever writes to it.
  const found = await stat(path);
  if (found.isDirectory()) {
    throw new EndpointError(
      "InvalidArgument",
      `${printableFileName(path)}: this is a directory; name the files in it.`,
    );
  }
  if (!found.isFile()) {
    // A pipe can be read once only, and the record has its digest before anything is imported.
    throw new EndpointError("InvalidArgument", `${printableFileName(path)}: this is not a regular file.`);
  }
  return open(path, "r");
};

/** The bytes of a regular file. @throws EndpointError saying what is wrong with it */
export async function* readFileBytes(path: string, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  let file: FileHandle | undefined;
  try {
    file = await openFile(path);
    for (;;) {
      if (signal?.aborted === true) throw new EndpointError("OperationStopped", "The import was stopped.");
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(chunkBytes), 0, chunkBytes);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } catch (error) {
    throw explainFailure(path, error);
  } finally {
    await file?.close();
  }
}

async function* tapped(
  chunks: AsyncIterable<Uint8Array>,
  onBytes: ((bytes: Uint8Array) => void) | undefined,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    onBytes?.(chunk);
    yield chunk;
  }
}

const checkComputerName = (text: string | undefined): string | undefined => {
  if (text === undefined) return undefined;
  const name = decodeComputerName(text);
  if (name !== undefined) return name;
  throw new EndpointError("InvalidArgument", "--computer-name: letters, digits, '-', '_' and '.', 255 at most.");
};

/**
 * Reads the recovery records of one file, in whichever form it has, as a stream.
 *
 * Without `onSkipped` the first problem stops the file: no record is yielded after it, reading goes on to find up to
 * twenty problems, and one EndpointError tells them all. Records before the problem were yielded, so whoever stores them
 * does it in one transaction.
 *
 * @throws EndpointError, and nothing else, for whatever stands in the file
 */
export async function* readRecoveryFile(path: string, options: ReadOptions = {}): AsyncGenerator<SiteRecord> {
  const account = new PasswordAccount();
  const reading = new FileReading(printableFileName(path), checkComputerName(options.computerName), options, account);
  const given = options.columns ?? new Map();
  const bytes = tapped(options.bytes ?? readFileBytes(path, options.signal), options.onBytes);
  try {
    const { head, text } = await lookAhead(account.watch(decodeText(bytes)), headCharacters);
    for await (const record of findReader(head, given)(text, reading)) {
      if (reading.take()) yield record;
    }
    reading.finish();
  } catch (error) {
    throw error instanceof BrokenFile ? reading.broken(error) : error;
  } finally {
    await bytes.return(undefined);
  }
}
