import { createHash } from "node:crypto";
import type { AnyDefinition } from "../command/define-command.ts";
import { openFile } from "../files/judge.ts";
import { readTrustedSync } from "../files/trusted-file.ts";
import { decodeRoles } from "./decode-roles.ts";
import type { CheckedRoles } from "./decode-roles.ts";
import { RolesFileError } from "./roles-problem.ts";

/** Roles, and the SHA-256 of the text that they were read from, hexadecimal. */
export interface LoadedRoles extends CheckedRoles {
  readonly digest: string;
}

/** The text of a roles file, to be changed. @throws UntrustedFile */
export const readRolesText = (path: string): string => readTrustedSync(path, openFile("roles file")).toString("utf8");

/**
 * Reads and checks a roles file. Nothing of it counts when anything is wrong with it.
 *
 * @throws RolesFileError with every problem, its line and its path; UntrustedFile
 */
export const loadRolesFile = (path: string, commands: readonly AnyDefinition[]): LoadedRoles => {
  const bytes = readTrustedSync(path, openFile("roles file"));
  try {
    const digest = createHash("sha256").update(bytes).digest("hex");
    return { ...decodeRoles(bytes.toString("utf8"), commands), digest };
  } catch (error) {
    throw error instanceof RolesFileError ? new RolesFileError(error.problems, path) : error;
  }
};
