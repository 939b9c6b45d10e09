import type { CheckedRoles } from "./decode-roles.ts";
import { askRules } from "./entry-rules.ts";
import { warnOfOneParty } from "./one-party-warnings.ts";
import type { RoleEntry } from "./role-entry.ts";
import { pathInWords } from "./roles-problem.ts";
import type { RolesProblem } from "./roles-problem.ts";
import type { ValueRule } from "./value-rule.ts";

type Warn = (path: readonly PropertyKey[], message: string) => void;

/** Texts that have nothing in common. A pattern that takes all of them takes, as far as anyone cares, everything. */
const unlikeTexts = ["x", "0", "A-1", "qZ.9_", "a b", "24B0AA32-F8D0-40BA-BB05-73A800324C09", "é", "~".repeat(200)];

const ruleCovers = (earlier: ValueRule | undefined, later: ValueRule | undefined): boolean => {
  if (earlier === undefined) return true;
  if (later?.set !== undefined) return later.set.filter(later.allows).every(earlier.allows);
  return later !== undefined && earlier.set === undefined && earlier.pattern === later.pattern;
};

/** Whether the earlier entry accepts everything that the later one accepts, so that the later one never counts. */
const covers = (earlier: RoleEntry, later: RoleEntry): boolean =>
  earlier.definition === later.definition &&
  [...later.parameters].every(
    ([name, rule]) => earlier.parameters.has(name) && ruleCovers(earlier.parameters.get(name), rule),
  ) &&
  askRules(earlier, (rule, value, name) => rule.judge?.covers(value, later.rules[name])).every((covered) => covered);

/** A rule on what is typed says nothing of a line without it; a rule that bounds the keys does, and its author may have meant less. */
const warnOfLeftOut = (entry: RoleEntry, warn: Warn): void => {
  const { definition, parameters, path } = entry;
  const needed = askRules(entry, (rule, value) => rule.needs?.(value)).flat();
  for (const [name, rule] of parameters) {
    const parameter = definition.parameters.get(name);
    if (rule === undefined || parameter?.required === true || needed.includes(name)) continue;
    const beside = entry.rules.requireOneOf?.filter((one) => one !== name && parameters.get(one) === undefined) ?? [];
    const how = beside.length === 0 ? " and may be left out" : `, and ${beside.join(", ")} beside it is not`;
    warn(
      path,
      parameter?.bounds === undefined
        ? `${name} is limited${how}: its rule bounds the values that are typed, not what is shown.`
        : `${name} is limited${how}: a line without it shows every key within the rule.`,
    );
  }
};

const warnOfEntry = (entry: RoleEntry, warn: Warn): void => {
  const { definition, parameters, path } = entry;
  for (const [name, rule] of parameters) {
    if (rule?.pattern !== undefined && rule.set === undefined && unlikeTexts.every(rule.allows)) {
      warn(path, `the pattern of ${name} accepts everything; leave it out, or write what is meant.`);
    }
  }
  warnOfLeftOut(entry, warn);
  for (const message of askRules(entry, (rule, value) => rule.warning?.(value, entry))) warn(path, message);
  const granted = askRules(entry, (rule) => rule.grants?.(definition));
  const restricted = [...parameters.keys()].filter(
    (name) => !granted.includes(name) && definition.parameters.get(name)?.restricted === true,
  );
  const hasRule =
    askRules(entry, (rule) => rule.guardsKeys).includes(true) ||
    [...parameters.values()].some((rule) => rule !== undefined);
  if (restricted.length > 0 && !hasRule) {
    warn(
      path,
      `grants the restricted ${restricted.join(", ")} without any rule: every key of the site may be taken at once.`,
    );
  }
};

const warnOfShadows = (entries: readonly RoleEntry[], warn: Warn): void => {
  entries.forEach((later, index) => {
    const earlier = entries
      .slice(0, index)
      .find((one) => one.roleCapability === later.roleCapability && covers(one, later));
    if (earlier !== undefined) {
      warn(later.path, `never counts: the earlier ${pathInWords(earlier.path)} accepts everything that it accepts.`);
    }
  });
};

/** For people who have several roles: only their own entries compete with each other. */
const warnOfShadowsBetweenRoles = (roles: CheckedRoles, users: readonly string[], warn: Warn): void => {
  const told = new Set<RoleEntry>();
  for (const user of users) {
    const held = new Set(roles.heldRoles(user).map(({ roleCapability }) => roleCapability));
    const own = roles.entries.filter(({ roleCapability }) => held.has(roleCapability));
    own.forEach((later, index) => {
      const earlier = own
        .slice(0, index)
        .find((one) => one.roleCapability !== later.roleCapability && covers(one, later));
      if (earlier === undefined || told.has(later)) return;
      told.add(later);
      warn(
        later.path,
        `never counts for ${user}: the earlier ${pathInWords(earlier.path)} accepts everything that it accepts.`,
      );
    });
  }
};

const warnOfUnused = (roles: CheckedRoles, users: readonly string[], warn: Warn): void => {
  const { file, commands } = roles;
  const held = new Set(users.flatMap((user) => roles.heldRoles(user).map(({ roleCapability }) => roleCapability)));
  const heldEntries = roles.entries.filter(({ roleCapability }) => held.has(roleCapability));
  if (held.size === 0 && roles.entries.length > 0) {
    // As `pep init` makes it: what nobody has need not be told one by one.
    warn(["roleDefinitions"], "nobody has a role, so nobody can see a key. Give one: pep users add USER --role ROLE");
    return;
  }
  for (const role of Object.keys(file.roleCapabilities)) {
    if (!held.has(role)) warn(["roleCapabilities", role], "nobody has this role.");
  }
  for (const [group, members] of Object.entries(file.groups ?? {})) {
    if (members.length === 0) warn(["groups", group], "has no members.");
  }
  for (const definition of commands) {
    const granted = heldEntries.some((entry) => entry.definition === definition);
    // Where nothing needs approval, nobody misses its commands.
    const isWanted = !definition.forElevation || heldEntries.some(({ rules }) => rules.requireApproval);
    if (!definition.forEveryone && !granted && isWanted)
      warn(["roleCapabilities"], `nobody can run ${definition.name}.`);
  }
  for (const user of users) {
    if (!roles.mayConnect(user) && roles.heldRoles(user).length > 0) {
      warn(["requiredGroups"], `${user} has roles but may not connect.`);
    }
  }
};

const warnOfMissingFactors = (
  roles: CheckedRoles,
  users: readonly string[],
  enrolled: readonly string[],
  warn: Warn,
): void => {
  for (const user of users) {
    const [why] = roles.whySecondFactor(user);
    if (why === undefined || enrolled.includes(user)) continue;
    const path = why.startsWith("role ") ? ["roleCapabilities", why.slice("role ".length)] : ["roleDefinitions", why];
    warn(
      [...path, "requireSecondFactor"],
      `${user} can't log in: a second factor is required, and none is enrolled. Run: pep users enrol ${user}`,
    );
  }
};

/** What is known of this endpoint's users. */
export interface KnownUsers {
  /** Users with a file of keys. */
  readonly users: readonly string[];
  /** Users with a second factor. */
  readonly enrolled: readonly string[];
  /** Whether certificates let in users that have no file of keys. */
  readonly trustsAuthorities: boolean;
  /** What lets this user of these groups in, in words: each key, and each certificate by its authority and principal. */
  readonly proofsOf: (user: string, groups: readonly string[]) => readonly string[];
}

/**
 * What is allowed in a roles file and still probably not meant.
 *
 * @param known `undefined` where nothing is known of the endpoint that the file is for
 */
export const findWarnings = (roles: CheckedRoles, known: KnownUsers | undefined): readonly RolesProblem[] => {
  const warnings: RolesProblem[] = [];
  const warn: Warn = (path, message) =>
    warnings.push({ line: roles.positions.lineOf(path), path: pathInWords(path), message });
  const { file, entries } = roles;
  const named = [
    ...Object.keys(file.roleDefinitions).flatMap((key) =>
      key.startsWith("user:") ? [{ user: key.slice("user:".length), path: ["roleDefinitions", key] }] : [],
    ),
    ...Object.entries(file.groups ?? {}).flatMap(([group, members]) =>
      members.map((user, index) => ({ user, path: ["groups", group, index] })),
    ),
  ];
  const withKeys = known?.users.map((user) => user.toLowerCase());
  for (const { user, path } of named) {
    if (withKeys !== undefined && !withKeys.includes(user.toLowerCase())) {
      warn(path, `${user} is not known: no authorized key of that name.`);
    }
  }
  const users = [...new Set([...named.map(({ user }) => user.toLowerCase()), ...(withKeys ?? [])])];
  for (const entry of entries) warnOfEntry(entry, warn);
  warnOfShadows(entries, warn);
  warnOfShadowsBetweenRoles(roles, users, warn);
  warnOfUnused(roles, users, warn);
  const logIns = {
    mayLogIn: (user: string) => withKeys === undefined || known?.trustsAuthorities === true || withKeys.includes(user),
    proofsOf: (user: string) => known?.proofsOf(user, roles.groupsOf(user)) ?? [],
  };
  warnOfOneParty(roles, users, logIns, warn);
  if (known !== undefined) warnOfMissingFactors(roles, users, known.enrolled, warn);
  return warnings.sort((a, b) => a.line - b.line);
};
