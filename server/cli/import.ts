import { maskKey } from "../model/key-shaped-text.ts";
import { createHash } from "node:crypto";
import type { AuditEvent, EventLog } from "../audit/event.ts";
import { EndpointError } from "../errors.ts";
import type { Problem, RecoveryRecordWriter } from "../import/contract.ts";
import { readDeviceNames } from "../import/device-names.ts";
import { parseGivenColumns } from "../import/given-columns.ts";
import type { GivenColumns } from "../import/layout.ts";
import { createProgress, type ErrorOutput } from "../import/progress.ts";
import { printableFileName, readFileBytes, readRecoveryFile } from "../import/read-recovery-file.ts";
import type { SiteRecord } from "../site-database/recovery-record.ts";
import { pluralOfMany } from "../model/plural.ts";

export interface ImportCommand {
  readonly files: readonly string[];
  readonly computerName: string | undefined;
  readonly skipInvalid: boolean;
  /** As given with `--column`, `Computer=AssetName`. */
  readonly columns: readonly string[];
  /** A list of devices, as given with `--device-names`. */
  readonly deviceNames: string | undefined;
  /** Standard input, for the file `-`. */
  readonly readInput: () => AsyncIterable<Uint8Array>;
  readonly log: EventLog;
  readonly writer: RecoveryRecordWriter;
  /** Operating-system account, for the record. */
  readonly localUser: string;
  readonly stderr: ErrorOutput;
  readonly signal: AbortSignal;
}

interface Digest {
  readonly name: string;
  readonly sha256: string;
  readonly bytes: number;
  /** Of standard input, which can be read once only: its content. */
  readonly content?: readonly Uint8Array[];
}

/** What the files are read with. */
interface Names {
  readonly columns: GivenColumns;
  readonly deviceNames: ReadonlyMap<string, string> | undefined;
}

const inputName = "standard input";
/** It is kept in memory, as the record has its digest before anything of it is imported, and keys belong in no other file. */
const largestInput = 256 * 1024 * 1024;

async function* fromMemory(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

type ImportedFile = Extract<AuditEvent, { type: "import-finished" }>["files"][number];

/** More skipped records than this are counted, not told one by one. */
const mostSkippedTold = 20;

const digestInput = async (input: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<Digest> => {
  const hash = createHash("sha256");
  const content: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of input) {
    if (signal.aborted) throw new EndpointError("OperationStopped", "The import was stopped.");
    bytes += chunk.length;
    if (bytes > largestInput) {
      throw new EndpointError("LimitsExceeded", "Standard input is larger than 256 MiB; import it as a file.");
    }
    hash.update(chunk);
    content.push(chunk);
  }
  return { name: inputName, sha256: hash.digest("hex"), bytes, content };
};

const digestFile = async (name: string, { readInput, signal }: ImportCommand): Promise<Digest> => {
  if (name === "-") return digestInput(readInput(), signal);
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of readFileBytes(name, signal)) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { name, sha256: hash.digest("hex"), bytes };
};

const importFile = async (file: Digest, names: Names, command: ImportCommand): Promise<ImportedFile> => {
  const shown = printableFileName(file.name);
  const progress = createProgress({ name: shown, bytes: file.bytes }, command.stderr, () => performance.now());
  const hash = createHash("sha256");
  let bytes = 0;
  let keys = 0;
  let skipped = 0;
  let passedOver = 0;
  let withoutKey = 0;

  const tellSkipped = ({ line, message }: Problem): void => {
    skipped += 1;
    if (skipped <= mostSkippedTold) progress.print(`${shown}:${line}: skipped: ${message}`);
    if (skipped === mostSkippedTold + 1) progress.print(`${shown}: more records were skipped than are listed here.`);
  };
  /** What is imported is what was recorded: a file that changed in between is refused before it is stored. */
  async function* readRecords(): AsyncGenerator<SiteRecord> {
    yield* readRecoveryFile(file.name, {
      computerName: command.computerName,
      ...names,
      bytes: file.content === undefined ? undefined : fromMemory(file.content),
      onSkipped: command.skipInvalid ? tellSkipped : undefined,
      onPassedOver: () => {
        passedOver += 1;
      },
      onWithoutKey: () => {
        withoutKey += 1;
      },
      onBytes: (chunk) => {
        hash.update(chunk);
        bytes += chunk.length;
        progress.show({ bytes, keys });
      },
      signal: command.signal,
    });
    if (hash.digest("hex") !== file.sha256) {
      throw new EndpointError("InvalidArgument", `${shown}: the file changed while it was read; import it again.`);
    }
  }

  try {
    const {
      added,
      unchanged,
      tpmPasswordHashes = 0,
    } = await command.writer.importFile(readRecords(), {
      onProgress: (stored) => {
        keys = stored;
        progress.show({ bytes, keys });
      },
      signal: command.signal,
    });
    progress.end();
    const others = passedOver === 0 ? "" : `, ${pluralOfMany(passedOver, "other protector")} passed over`;
    const hashes = tpmPasswordHashes === 0 ? "" : `, TPM password hashes: ${tpmPasswordHashes.toLocaleString("en-US")}`;
    const keyless = withoutKey === 0 ? "" : `, ${pluralOfMany(withoutKey, "computer")} without a key`;
    progress.print(
      `${shown}: ${pluralOfMany(added, "key protector")} added, ${unchanged.toLocaleString("en-US")} already known, ` +
        `${skipped.toLocaleString("en-US")} skipped${hashes}${others}${keyless}`,
    );
    return { name: file.name, added, unchanged, skipped };
  } finally {
    progress.end();
  }
};

/** A bug's own words stay out of the record: they may quote what the file holds. */
const wordsFor = (error: unknown): string =>
  error instanceof EndpointError
    ? `${error.category}: ${error.message}`
    : error instanceof Error
      ? error.name
      : "error";

/** Runs the import of all files in order; the first that fails is the last. @returns its error */
const importFiles = async (
  files: readonly Digest[],
  names: Names,
  command: ImportCommand,
  imported: ImportedFile[],
): Promise<unknown> => {
  for (const file of files) {
    try {
      imported.push(await importFile(file, names, command));
    } catch (error) {
      return error;
    }
  }
  return undefined;
};

/**
 * `pep import FILE...`: puts recovery data into the site database, on the record.
 *
 * The files' digests are durable before the first is imported. A file is imported whole or not at all; files before one
 * that failed stay imported, and the record says so.
 *
 * @returns the exit status; a failure has been told on stderr
 */
export const importCommand = async (command: ImportCommand): Promise<number> => {
  const { log, localUser, stderr, signal } = command;
  try {
    if (command.files.length === 0) throw new EndpointError("InvalidArgument", "Name the files to import.");
    const files: Digest[] = [];
    if (command.files.filter((name) => name === "-").length > 1) {
      throw new EndpointError("InvalidArgument", "Standard input (-) can be read once only.");
    }
    for (const name of command.files) files.push(await digestFile(name, command));
    const list = command.deviceNames;
    const names: Names = {
      columns: parseGivenColumns(command.columns),
      deviceNames: list === undefined ? undefined : await readDeviceNames(list, signal),
    };
    await log.append({
      type: "import-started",
      localUser,
      files: files.map(({ name, sha256 }) => ({ name: maskKey(name), sha256 })),
    });
    const imported: ImportedFile[] = [];
    const failure = await importFiles(files, names, command, imported);
    // Told before it is recorded: when the record fails too, the administrator still reads why.
    const failing = files[imported.length]?.name ?? "";
    if (failure instanceof EndpointError) {
      const named = failure.message.includes(printableFileName(failing));
      stderr.write(`${named ? "" : `${printableFileName(failing)}: `}${failure.message}\n`);
    }
    const left = files.length - imported.length - 1;
    if (failure !== undefined && left > 0) stderr.write(`${pluralOfMany(left, "later file")} not imported.\n`);
    await log.append({
      type: "import-finished",
      localUser,
      outcome: failure === undefined ? "succeeded" : "failed",
      files: imported.map((file) => ({ ...file, name: maskKey(file.name) })),
      ...(failure !== undefined && { error: wordsFor(failure) }),
    });
    if (failure instanceof EndpointError) return failure.exitStatus;
    if (failure !== undefined) throw failure;
    return 0;
  } catch (error) {
    if (!(error instanceof EndpointError)) throw error;
    stderr.write(`${error.message}\n`);
    return error.exitStatus;
  }
};
