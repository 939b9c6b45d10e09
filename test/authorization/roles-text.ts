import { commands } from "../../commands/index.ts";
import { decodeRoles } from "../../server/authorization/decode-roles.ts";
import type { CheckedRoles } from "../../server/authorization/decode-roles.ts";
import { Refusal } from "../../server/errors.ts";
import { RolesFileError } from "../../server/authorization/roles-problem.ts";

/** A roles file whose user `alice` has the role `role` with these entries. */
export const withEntries = (...visibleCommands: readonly unknown[]): string =>
  JSON.stringify({
    roleCapabilities: { role: { visibleCommands } },
    roleDefinitions: { "user:alice": { roleCapabilities: ["role"] } },
  });

/** Roles under which `alice` may do everything that can be granted. */
export const everythingGranted = (): string =>
  withEntries(
    ...commands
      .filter(({ forEveryone }) => !forEveryone)
      .map(({ name, parameters }) => ({
        name,
        parameters: [...parameters.keys()],
        ...(parameters.has("Search") ? { search: {} } : {}),
      })),
  );

export const decode = (text: string): CheckedRoles => decodeRoles(text, commands);

export const problemsIn = (text: string): readonly string[] => {
  try {
    decode(text);
  } catch (error) {
    if (error instanceof RolesFileError) {
      return error.problems.map(({ line, path, message }) => `${line} ${path}: ${message}`);
    }
    throw error;
  }
  return [];
};

/** How a line ends for `alice`: the role that accepts it, or the refusal's words. */
export const outcome = (roles: CheckedRoles, line: string, user = "alice"): string => {
  try {
    return `accepted as ${roles.commandsFor(user).bindLine(line).roleCapability}`;
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
};
