import { readFileSync } from "node:fs";
import { mkdir, open, rename } from "node:fs/promises";
import { dirname } from "node:path";
import * as z from "zod";
import { EndpointError } from "../errors.ts";

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
    return cursorFile.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw new EndpointError(
      "InvalidArgument",
      `${path} can't be read as a cursor. Remove it, and the whole log is sent to the syslog receiver again.`,
      { cause: error },
    );
  }
};

/**
 * Replaces it at once. The directory is not synchronised: when the rename is lost in a crash the older cursor is there, and
 * what follows it is sent again.
 */
export const writeCursor = async (path: string, cursor: Cursor): Promise<void> => {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const file = await open(`${path}.new`, "w", 0o600);
  try {
    await file.writeFile(`${JSON.stringify(cursor)}\n`);
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
};
