import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import * as z from "zod";
import { EndpointError } from "../errors.ts";
import { openFile } from "../files/judge.ts";
import { replaceFile } from "../files/replace-file.ts";
import { readTrustedSync, UntrustedFile } from "../files/trusted-file.ts";

const cursorFile = z.strictObject({
  /** Name of the log it is a place in. A log that was begun anew is sent from its beginning. */
  log: z.string(),
  /** Every event up to this one was read by the receiver, which lived on for `resendSeconds`. */
  seq: z.number().int().min(0),
});

export type Cursor = Readonly<z.infer<typeof cursorFile>>;

/** @throws EndpointError InvalidArgument when the file is there and no cursor: to begin anew would send the whole log again */
export const readCursor = (path: string): Cursor | undefined => {
  try {
    return cursorFile.parse(JSON.parse(readTrustedSync(path, openFile("place in the log")).toString("utf8")));
  } catch (error) {
    if (error instanceof UntrustedFile && error.isMissing) return undefined;
    throw new EndpointError(
      "InvalidArgument",
      `${path} can't be read as a cursor. Remove it, and the whole log is sent to the syslog receiver again.`,
      { cause: error },
    );
  }
};

/** Replaces it at once. */
export const writeCursor = async (path: string, cursor: Cursor): Promise<void> => {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await replaceFile(path, `${JSON.stringify(cursor)}\n`, (file) => file.datasync());
};
