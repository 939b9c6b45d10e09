import { isCanonicalUserName } from "../model/user-name.ts";
import type { AnyDefinition } from "../command/define-command.ts";
import { checkCondition as checkCircumstances, conditionInWords } from "./circumstances.ts";
import type { Circumstances } from "./circumstances.ts";
import { checkEntry } from "./check-entry.ts";
import type { Complain } from "./check-entry.ts";
import type { Roles, VisibleCommands } from "./contract.ts";
import { findJsonPositions } from "./json-positions.ts";
import type { JsonPositions } from "./json-positions.ts";
import type { RoleEntry } from "./role-entry.ts";
import { pathInWords, problemsOf, RolesFileError } from "./roles-problem.ts";
import type { RolesProblem } from "./roles-problem.ts";
import { rolesFile } from "./roles-schema.ts";
import type { GroupCondition, RolesFile } from "./roles-schema.ts";
import { makeVisibleCommands } from "./visible-commands.ts";

/** One role capability a user has, and every reason why. */
interface HeldRole {
  readonly roleCapability: string;
  /** Keys of `roleDefinitions`: `user:support`, `group:operators`. */
  readonly because: readonly string[];
}

/** A checked roles file, with what `pep roles` reports. */
export interface CheckedRoles extends Roles {
  /** Whether the user meets `requiredGroups`; without it everyone does. */
  mayConnect(user: string): boolean;
  /** Whatever the time and the network are. */
  heldRoles(user: string): readonly HeldRole[];
  /**
   * What asks this user for a second factor, by name; empty: nothing does. Whatever the time and the network are: a role whose
   * time begins in the middle of a session must not be reached without one.
   */
  whySecondFactor(user: string): readonly string[];
  groupsOf(user: string): readonly string[];
  /** Everybody the file names, in lower case. */
  readonly users: readonly string[];
  /** Every entry of every role capability, in file order. */
  readonly entries: readonly RoleEntry[];
  readonly file: RolesFile;
  readonly positions: JsonPositions;
  readonly commands: readonly AnyDefinition[];
}

/** JEA's own idle limit is two hours; 15 minutes is what a screen with recovery keys on it should have. */
const defaultIdleMinutes = 15;
/** Keys are off the screen after two thirds of the idle time: ten of fifteen minutes. */
const defaultLockPart = 2 / 3;
const defaultLongestMinutes = 8 * 60;
/** A few windows and a script that runs some commands side by side; what runs at a time is limited by the next. */
const defaultSessions = 20;
/** Sixty searches of one user at a time made another user wait four seconds. */
const defaultCommands = 4;
/** Long enough to find the second person, and to use what they approved; no longer. */
const defaultRequestMinutes = 60;
const defaultApprovalMinutes = 15;
const deepestCondition = 16;

/** A user's name in the spelling that counts: two that differ in case only would be one file of keys. */
const canonicalUser = (name: string): string => name.toLowerCase();

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const at = / position (\d+)/.exec(why)?.[1];
    // V8 names a position for everything but an end that comes too early.
    const before = at === undefined ? text.trimEnd() : text.slice(0, Number(at));
    throw new RolesFileError([{ line: before.split("\n").length, path: "", message: `is not JSON: ${why}.` }]);
  }
};

const decodeFile = (text: string): { readonly file: RolesFile; readonly positions: JsonPositions } => {
  const raw = parseJson(text);
  const positions = findJsonPositions(text);
  const at = (path: readonly PropertyKey[], message: string): RolesProblem => ({
    line: positions.lineOf(path),
    path: pathInWords(path),
    message,
  });
  const problems = [
    ...positions.duplicates.map((path) => at(path, "stands twice in the same object; only one of them would count.")),
    ...positions.prototypes.map((path) => at(path, "is no possible name.")),
  ];
  const decoded = rolesFile.safeParse(raw);
  if (!decoded.success) problems.push(...problemsOf(decoded.error.issues, positions));
  if (!decoded.success || problems.length > 0) throw new RolesFileError(problems);
  return { file: decoded.data, positions };
};

const checkGroups = (file: RolesFile, complain: Complain): ReadonlyMap<string, ReadonlySet<string>> => {
  const groups = new Map<string, ReadonlySet<string>>();
  for (const [name, members] of Object.entries(file.groups ?? {})) {
    if (groups.has(name.toLowerCase()))
      complain(["groups", name], "differs from another group in upper and lower case only.");
    groups.set(name.toLowerCase(), new Set(members.map(canonicalUser)));
  }
  return groups;
};

/** Compiles a condition to a question about the groups a user is in. */
const checkCondition = (
  condition: GroupCondition,
  path: readonly PropertyKey[],
  groups: ReadonlyMap<string, unknown>,
  complain: Complain,
): ((inGroups: ReadonlySet<string>) => boolean) => {
  if (path.length > 2 * deepestCondition) {
    complain(path, `conditions are nested at most ${deepestCondition} deep.`);
    return () => false;
  }
  if (typeof condition === "string") {
    const group = condition.toLowerCase();
    if (!groups.has(group)) complain(path, `there is no group ${condition}.`);
    return (inGroups) => inGroups.has(group);
  }
  const [word, inner] = "And" in condition ? (["And", condition.And] as const) : (["Or", condition.Or] as const);
  const parts = inner.map((part, index) => checkCondition(part, [...path, word, index], groups, complain));
  return word === "And"
    ? (inGroups) => parts.every((part) => part(inGroups))
    : (inGroups) => parts.some((part) => part(inGroups));
};

interface Definition {
  /** As written. */
  readonly key: string;
  readonly applies: (user: string, inGroups: ReadonlySet<string>) => boolean;
  readonly holds: (circumstances: Circumstances | undefined) => boolean;
  /** When and from where, for people; may be empty. */
  readonly condition: string;
  readonly roleCapabilities: readonly string[];
  readonly requireSecondFactor: boolean;
}

const checkDefinitions = (
  file: RolesFile,
  groups: ReadonlyMap<string, unknown>,
  complain: Complain,
): readonly Definition[] => {
  const seen = new Set<string>();
  return Object.entries(file.roleDefinitions).map(([key, definition]) => {
    const { roleCapabilities } = definition;
    const path = ["roleDefinitions", key];
    const name = key.slice(key.indexOf(":") + 1).toLowerCase();
    if (seen.has(key.toLowerCase())) complain(path, "differs from another in upper and lower case only.");
    seen.add(key.toLowerCase());
    if (key.startsWith("group:") && !groups.has(name)) complain(path, `there is no group ${name}.`);
    if (key.startsWith("user:") && !isCanonicalUserName(name)) complain(path, "names no possible user.");
    roleCapabilities.forEach((role, index) => {
      if (!Object.hasOwn(file.roleCapabilities, role)) {
        complain([...path, "roleCapabilities", index], `there is no role capability ${role}.`);
      }
    });
    return {
      key,
      applies: key.startsWith("group:")
        ? (_user: string, inGroups: ReadonlySet<string>) => inGroups.has(name)
        : (user: string) => user === name,
      holds: checkCircumstances(definition, path, complain),
      condition: conditionInWords(definition),
      roleCapabilities,
      requireSecondFactor: definition.requireSecondFactor === true,
    };
  });
};

const usersNamedIn = ({ roleDefinitions, groups = {} }: RolesFile): readonly string[] => {
  const defined = Object.keys(roleDefinitions).flatMap((key) =>
    key.startsWith("user:") ? [key.slice("user:".length)] : [],
  );
  return [...new Set([...defined, ...Object.values(groups).flat()].map(canonicalUser))];
};

/** What is the same for everybody, with what is left out. */
const checkSession = (given: RolesFile["session"], complain: Complain): Roles["session"] => {
  if (given?.requireAcceptance === true && (given.legalNotice ?? "").trim() === "") {
    complain(["session", "requireAcceptance"], "needs a legalNotice that could be accepted.");
  }
  const idleTimeoutMinutes = given?.idleTimeoutMinutes ?? defaultIdleMinutes;
  const idleLockMinutes = given?.idleLockMinutes ?? idleTimeoutMinutes * defaultLockPart;
  if (idleLockMinutes >= idleTimeoutMinutes) {
    complain(
      ["session", "idleLockMinutes"],
      `must be less than idleTimeoutMinutes (${idleTimeoutMinutes}), when the session ends.`,
    );
  }
  return {
    idleLockMs: idleLockMinutes * 60_000,
    idleTimeoutMs: idleTimeoutMinutes * 60_000,
    longestSessionMs: (given?.longestSessionMinutes ?? defaultLongestMinutes) * 60_000,
    sessionsPerUser: given?.sessionsPerUser ?? defaultSessions,
    commandsPerUser: given?.commandsPerUser ?? defaultCommands,
    requestMs: (given?.requestMinutes ?? defaultRequestMinutes) * 60_000,
    approvalMs: (given?.approvalMinutes ?? defaultApprovalMinutes) * 60_000,
    requireAcceptance: given?.requireAcceptance ?? false,
    legalNotice: given?.legalNotice ?? "",
  };
};

/** Maps of commands kept for the next connection; enough for every combination of roles that a roles file makes sense with. */
const mostKeptCommands = 256;

/**
 * jea-roles.json → checked roles. Everything is checked before anything is granted: a misspelt command, parameter, group
 * or key is an error with its line and path, where JEA silently ignores it.
 *
 * @throws RolesFileError
 */
export const decodeRoles = (text: string, commands: readonly AnyDefinition[]): CheckedRoles => {
  const { file, positions } = decodeFile(text);
  const problems: RolesProblem[] = [];
  const complain: Complain = (path, message) =>
    problems.push({ line: positions.lineOf(path), path: pathInWords(path), message });
  const groups = checkGroups(file, complain);
  const mayConnectWith =
    file.requiredGroups === undefined
      ? () => true
      : checkCondition(file.requiredGroups, ["requiredGroups"], groups, complain);
  const definitions = checkDefinitions(file, groups, complain);
  const entries = Object.entries(file.roleCapabilities).flatMap(([role, { visibleCommands }]) =>
    visibleCommands.flatMap(
      (raw, index) =>
        checkEntry(
          raw,
          { roleCapability: role, path: ["roleCapabilities", role, "visibleCommands", index] },
          commands,
          complain,
        ) ?? [],
    ),
  );
  const session = checkSession(file.session, complain);
  if (problems.length > 0) throw new RolesFileError(problems);

  const groupsOf = (user: string): readonly string[] =>
    [...groups].filter(([, members]) => members.has(canonicalUser(user))).map(([name]) => name);
  const applyingTo = (user: string): readonly Definition[] => {
    const inGroups = new Set(groupsOf(user));
    return definitions.filter(({ applies }) => applies(canonicalUser(user), inGroups));
  };
  const rolesOf = (applying: readonly Definition[]): readonly HeldRole[] => {
    return Object.keys(file.roleCapabilities).flatMap((role) => {
      const because = applying
        .filter(({ roleCapabilities }) => roleCapabilities.includes(role))
        .map(({ key, condition }) => (condition === "" ? key : `${key} (${condition})`));
      return because.length === 0 ? [] : [{ roleCapability: role, because }];
    });
  };
  const heldRoles = (user: string): readonly HeldRole[] => rolesOf(applyingTo(user));
  const whySecondFactor = (user: string): readonly string[] => [
    ...applyingTo(user).flatMap(({ key, requireSecondFactor }) => (requireSecondFactor ? [key] : [])),
    ...heldRoles(user).flatMap(({ roleCapability: role }) =>
      file.roleCapabilities[role]?.requireSecondFactor === true ? [`role ${role}`] : [],
    ),
  ];
  const mayConnect = (user: string): boolean => mayConnectWith(new Set(groupsOf(user)));
  const makeCommands = (applying: readonly Definition[], connects: boolean): VisibleCommands => {
    const held = new Map(
      rolesOf(applying).map(({ roleCapability, because }) => [roleCapability, because.join(" and ")]),
    );
    const own = entries.filter(({ roleCapability }) => held.has(roleCapability));
    return makeVisibleCommands(commands, own, connects, (role) => held.get(role) ?? "");
  };
  /** Users with the same definitions share one map of commands, which is made once. */
  const made = new Map<string, VisibleCommands>();
  return {
    commandsFor: (connectedUser, circumstances) => {
      const applying = applyingTo(connectedUser).filter(({ holds }) => holds(circumstances));
      const connects = mayConnect(connectedUser);
      const of = JSON.stringify([connects, ...applying.map(({ key }) => key)]);
      const kept = made.get(of);
      if (kept !== undefined) return kept;
      const visible = makeCommands(applying, connects);
      if (made.size >= mostKeptCommands) made.clear();
      made.set(of, visible);
      return visible;
    },
    session,
    mayConnect,
    heldRoles,
    whySecondFactor,
    users: usersNamedIn(file),
    groupsOf,
    entries,
    file,
    positions,
    commands,
  };
};
