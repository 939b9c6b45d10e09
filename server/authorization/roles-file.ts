import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import type { AnyDefinition } from "../../commands/define-command.ts";
import { EndpointError } from "../errors.ts";
import { decodeRoles } from "./decode-roles.ts";
import type { CheckedRoles } from "./decode-roles.ts";
import { RolesFileError } from "./roles-problem.ts";

const mostBytes = 1024 * 1024;

const refuse = (path: string, message: string): RolesFileError =>
  new RolesFileError([{ line: 1, path: "", message }], path);

const open = (path: string): number => {
  try {
    return openSync(path, "r");
  } catch (error) {
    throw new EndpointError("ObjectNotFound", `${path} can't be read.`, { cause: error });
  }
};

/** Reads the file that was checked: both on one descriptor, so that nothing can be exchanged in between. */
const readChecked = (path: string): string => {
  const descriptor = open(path);
  try {
    const about = fstatSync(descriptor);
    if (!about.isFile()) throw refuse(path, "is no regular file.");
    // Windows has no owner and no mode bits: there the folder's access list has to protect the file.
    const own = process.getuid?.();
    if (own !== undefined) {
      if ((about.mode & 0o022) !== 0) {
        throw refuse(
          path,
          `may be written by group or others: whoever can edit it owns the endpoint. Run: chmod go-w ${path}`,
        );
      }
      if (about.uid !== own && about.uid !== 0) {
        throw refuse(path, "belongs to another account: it must belong to the one that runs the server, or to root.");
      }
    }
    if (about.size > mostBytes) throw refuse(path, `is larger than ${mostBytes} bytes.`);
    return readFileSync(descriptor, "utf8");
  } finally {
    closeSync(descriptor);
  }
};

/**
 * Reads and checks a roles file. Nothing of it counts when anything is wrong with it.
 *
 * @throws RolesFileError with every problem, its line and its path; EndpointError ObjectNotFound when it can't be read
 */
export const loadRolesFile = (path: string, commands: readonly AnyDefinition[]): CheckedRoles => {
  const text = readChecked(path);
  try {
    return decodeRoles(text, commands);
  } catch (error) {
    throw error instanceof RolesFileError ? new RolesFileError(error.problems, path) : error;
  }
};
