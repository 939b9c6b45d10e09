import { createHash } from "node:crypto";
import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { codeOf, failures, stopped } from "../errors.ts";
import type { ClosedTranscript } from "./contract.ts";
import { longestLine } from "./log-lines.ts";
import { blocksInTurns, isIrregular, largestFile, openFileOfRecord } from "./open-of-record.ts";

/** An exit event begins within so many bytes. */
const exitBytes = 64;

/** SHA-256 of a file, and where its last whole line begins and ends. */
const readTranscript = async (file: FileHandle, size: number, stop: AbortSignal | undefined) => {
  const hash = createHash("sha256");
  let lastLine = 0;
  let wholeBytes = 0;
  let at = 0;
  for await (const bytes of blocksInTurns(file, size)) {
    if (stop?.aborted === true) throw stopped();
    hash.update(bytes);
    const end = bytes.lastIndexOf(10);
    if (end >= 0) {
      const before = end === 0 ? -1 : bytes.lastIndexOf(10, end - 1);
      lastLine = before < 0 ? wholeBytes : at + before + 1;
      wholeBytes = at + end + 1;
    }
    at += bytes.length;
  }
  return { transcriptDigest: hash.digest("hex"), transcriptBytes: at, lastLine, wholeBytes };
};

const readPart = async (file: FileHandle, from: number, bytes: number): Promise<Buffer> => {
  const part = Buffer.alloc(bytes);
  const { bytesRead } = await file.read(part, 0, bytes, from);
  return part.subarray(0, bytesRead);
};

const closeFile = async (
  file: FileHandle,
  stop: AbortSignal | undefined,
): Promise<ClosedTranscript | { readonly why: string }> => {
  const { size } = await file.stat();
  if (size > largestFile) return { why: "is longer than one can be" };
  const { lastLine, wholeBytes, ...closed } = await readTranscript(file, size, stop);
  const tornBytes = closed.transcriptBytes - wholeBytes;
  if (tornBytes > longestLine) return { why: "is longer than one can be" };
  // Closed, but its end did not reach the log.
  const last = (await readPart(file, lastLine, exitBytes)).toString("latin1");
  if (tornBytes === 0 && /^\[[\d.]+,\s*"x"/.test(last)) {
    await file.sync(); // whoever closed it may have been killed before that
    return closed;
  }
  const torn = await readPart(file, wholeBytes, tornBytes);
  const kept = tornBytes === 0 ? "" : `# ${tornBytes} bytes of an unfinished line: ${torn.toString("base64")}\n`;
  // A first line that is torn is no header, and a file must begin with one.
  const header = wholeBytes === 0 ? `{"version":3,"term":{"cols":80,"rows":24}}\n` : "";
  const ending = `${header}${kept}[0,"m","aborted: the server stopped"]\n[0,"x","${failures.InvalidResult.exitStatus}"]\n`;
  await file.truncate(wholeBytes);
  await file.write(ending, wholeBytes);
  await file.sync();
  const { transcriptDigest, transcriptBytes } = await readTranscript(file, (await file.stat()).size, stop);
  return { transcriptDigest, transcriptBytes };
};

/**
 * Ends a transcript that a crash left open, as its session would have: with an exit event. A torn last line was never shown;
 * its bytes stay in the file as a comment, which players skip.
 *
 * @returns its digest, or why it was left as it is, as in "its transcript is gone"
 * @throws EndpointError OperationStopped
 */
export const closeTranscript = async (
  path: string,
  stop: AbortSignal | undefined,
): Promise<ClosedTranscript | { readonly why: string }> => {
  let file: FileHandle;
  try {
    file = await openFileOfRecord(path, constants.O_RDWR);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return { why: "is gone" };
    if (isIrregular(error)) return { why: "is no regular file" };
    throw error;
  }
  try {
    return await closeFile(file, stop);
  } finally {
    await file.close();
  }
};
