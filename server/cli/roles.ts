import { existsSync } from "node:fs";
import { commands } from "../../commands/index.ts";
import type { CheckedRoles } from "../authorization/decode-roles.ts";
import { rulesInWords } from "../authorization/describe.ts";
import { findWarnings, type KnownUsers } from "../authorization/find-warnings.ts";
import type { RoleEntry } from "../authorization/role-entry.ts";
import { pathInWords, problemInWords } from "../authorization/roles-problem.ts";
import { loadRolesFile } from "../authorization/roles-file.ts";
import { pathsIn, readConfiguration } from "../configuration.ts";
import { EndpointError } from "../errors.ts";
import type { Io } from "./io.ts";
import { enrolledUsers, findKnownUsers } from "./known-users.ts";
import { plural } from "../model/plural.ts";

type Output = Pick<Io, "stdout">;

/** Of a data directory that may be incomplete, or none at all. What can't be read there is no error of the roles. */
const findKnown = (dataDirectory: string, { stdout }: Output): KnownUsers | undefined => {
  const paths = pathsIn(dataDirectory);
  try {
    const configuration = existsSync(paths.endpoint) ? readConfiguration(dataDirectory, paths.endpoint) : undefined;
    return findKnownUsers(paths, { trustedUserCAKeys: configuration?.trustedUserCAKeys });
  } catch (error) {
    if (!(error instanceof EndpointError)) throw error;
    stdout.write(`warning: the keys of the users can't be read: ${error.message}\n`);
    return undefined;
  }
};

const test = (path: string, roles: CheckedRoles, known: KnownUsers | undefined, { stdout }: Output): number => {
  const warnings = findWarnings(roles, known);
  for (const warning of warnings) stdout.write(`warning: ${problemInWords(warning)}\n`);
  stdout.write(`${path}: no errors, ${plural(warnings.length, "warning")}\n`);
  return 0;
};

const entryInWords = (entry: RoleEntry, roles: CheckedRoles): string[] => {
  const line = roles.positions.lineOf(entry.path);
  const names = [...entry.parameters.keys()].map(
    (name) => `-${name}${entry.definition.parameters.get(name)?.restricted === true ? " (restricted)" : ""}`,
  );
  return [
    `  ${entry.definition.name}`,
    `      from ${pathInWords(entry.path)}, line ${line}`,
    `      parameters: ${names.length === 0 ? "none" : names.join(", ")}`,
    ...rulesInWords(entry, true).map((rule) => `      rule: ${rule}`),
  ];
};

const show = (
  user: string,
  roles: CheckedRoles,
  enrolled: readonly string[] | undefined,
  { stdout }: Output,
): number => {
  const print = (line: string): void => stdout.write(`${line}\n`);
  const groups = roles.groupsOf(user);
  print(`${user}: ${groups.length === 0 ? "in no group" : `in ${groups.join(", ")}`}`);
  if (!roles.mayConnect(user)) {
    print("does not meet requiredGroups, so has no command, not even the default ones");
    return 0;
  }
  const why = roles.whySecondFactor(user);
  if (why.length > 0) {
    const missing = enrolled?.includes(user) === false ? `; none is enrolled: pep users enrol ${user}` : "";
    print(`logs in with a second factor, because of ${why.join(" and ")}${missing}`);
  }
  const held = roles.heldRoles(user);
  if (held.length === 0) print("has no role: the default commands only");
  for (const { roleCapability, because } of held) {
    const description = roles.file.roleCapabilities[roleCapability]?.description;
    print("");
    print(`role ${roleCapability}, through ${because.join(" and ")}`);
    if (description !== undefined) print(`  ${description}`);
    const entries = roles.entries.filter((entry) => entry.roleCapability === roleCapability);
    for (const line of entries.flatMap((entry) => entryInWords(entry, roles))) print(line);
    if (entries.length === 0) print("  grants no command beyond the default ones");
  }
  const everyones = roles.commands.filter(({ forEveryone }) => forEveryone).map(({ name }) => name);
  print("");
  print(`default commands, as everyone who may connect: ${everyones.join(", ")}`);
  const { sessionsPerUser, commandsPerUser } = roles.session;
  print(
    `limits, as everyone: ${plural(sessionsPerUser, "session")}, ${plural(commandsPerUser, "command")} running at a time`,
  );
  if (held.length > 1) print("Several entries: the first in this order that accepts all of a line allows it.");
  return 0;
};

/**
 * `pep roles test` and `pep roles show USER`.
 *
 * @returns exit status 0: the file has no errors; warnings do not count
 * @throws EndpointError InvalidArgument with every error of the file, its line and its path
 */
export const rolesCommand = (
  options: {
    readonly path: string;
    /** Where its users' keys lie. */
    readonly dataDirectory: string;
    readonly arguments: readonly string[];
  },
  output: Output,
): number => {
  const [verb, user, ...more] = options.arguments;
  if (verb === "test" && user === undefined) {
    const roles = loadRolesFile(options.path, commands);
    return test(options.path, roles, findKnown(options.dataDirectory, output), output);
  }
  if (verb === "show" && user !== undefined && more.length === 0) {
    const roles = loadRolesFile(options.path, commands);
    const paths = pathsIn(options.dataDirectory);
    const enrolled = existsSync(paths.authorizedKeys) ? enrolledUsers(paths) : undefined;
    return show(user.toLowerCase(), roles, enrolled, output);
  }
  throw new EndpointError("InvalidArgument", "Write: pep roles test, or: pep roles show USER.");
};
