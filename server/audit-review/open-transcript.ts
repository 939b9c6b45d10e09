import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { openFileOfRecord } from "../audit/open-of-record.ts";
import { castLinesV2InTurns } from "./cast-v2.ts";
import type { OpenedTranscript, TranscriptPort } from "../command/transcript-port.ts";
import { codeOf } from "../errors.ts";

/** As the server makes them. Checked here too, because the id names a file. */
const sessionIdShape = /^S-[0-9a-f]{16}$/;

const opened = async (sessionId: string, file: FileHandle): Promise<OpenedTranscript> => {
  const { size: sizeBytes } = await file.stat();
  return {
    sessionId,
    sizeBytes,
    async read(from, longest) {
      const length = Math.max(0, Math.min(longest, sizeBytes - from));
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, from);
      return buffer.subarray(0, bytesRead);
    },
    linesV2: () => castLinesV2InTurns(file, sizeBytes),
    close: () => file.close(),
  };
};

/**
 * Found by its file, not by the log: the log of a busy endpoint is large, and reading all of it for one name would hold up every
 * other session. The file's name is made of the session's id alone (server/audit/transcript.ts).
 *
 * @param directory `audit/transcripts`
 */
export const transcriptPort = (directory: string): TranscriptPort => ({
  async open(sessionId) {
    if (!sessionIdShape.test(sessionId)) return undefined;
    const path = join(directory, `${sessionId}.cast`);
    let file: FileHandle;
    try {
      // A link here was not made by the server.
      file = await openFileOfRecord(path);
    } catch (error) {
      if (["ENOENT", "ELOOP"].includes(codeOf(error) ?? "")) return undefined;
      throw error;
    }
    try {
      return await opened(sessionId, file);
    } catch (error) {
      await file.close();
      throw error;
    }
  },
});
