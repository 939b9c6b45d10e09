import { readFileSync } from "node:fs";
import { join } from "node:path";
import { commands } from "../../commands/index.ts";
import { decodeRoles } from "../../server/authorization/decode-roles.ts";
import { Refusal } from "../../server/errors.ts";

type Roles = ReturnType<typeof decodeRoles>;

export const shippedRoles = (): Roles =>
  decodeRoles(readFileSync(join(import.meta.dirname, "..", "..", "jea-roles.json"), "utf8"), commands);

/** What roles say to a user's line: the role that accepts it, or the refusal's category and words. */
export const verdictOn = (
  roles: Roles,
  user: string,
  line: string,
): string | readonly [category: string, message: string] => {
  try {
    return roles.commandsFor(user).bindLine(line).roleCapability;
  } catch (error) {
    if (error instanceof Refusal) return [error.category, error.message];
    throw error;
  }
};
