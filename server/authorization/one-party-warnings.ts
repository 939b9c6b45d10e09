import type { CheckedRoles } from "./decode-roles.ts";
import type { RoleEntry } from "./role-entry.ts";
import { inFew } from "../model/list-in-words.ts";

/** The users who could log in, with their proofs. Two users with the same proof may be one person. */
export interface LogIns {
  readonly mayLogIn: (user: string) => boolean;
  /** Keys and certificates in words, the same words for the same one. */
  readonly proofsOf: (user: string) => readonly string[];
}

type Warn = (path: readonly PropertyKey[], message: string) => void;

/** Whether all that lets the one in lets the other in, too: then the one is nobody else. */
const isNobodyElse = (one: readonly string[], other: readonly string[]): boolean =>
  one.length > 0 && one.every((proof) => other.includes(proof));

const usersByProof = (users: readonly string[], { proofsOf }: LogIns): ReadonlyMap<string, ReadonlySet<string>> => {
  const by = new Map<string, Set<string>>();
  for (const user of users) {
    for (const proof of proofsOf(user)) by.set(proof, (by.get(proof) ?? new Set()).add(user));
  }
  return by;
};

/**
 * Where the second person of an approval is missing, or may be the first one under another name. The endpoint bars an approval by the same
 * user, key or key id; it can't see that somebody has two of each.
 */
export const warnOfOneParty = (roles: CheckedRoles, users: readonly string[], logIns: LogIns, warn: Warn): void => {
  const present = users.filter((user) => roles.mayConnect(user) && logIns.mayLogIn(user));
  const holding = (wanted: (entry: RoleEntry) => boolean): readonly string[] => {
    const granting = new Set(roles.entries.filter(wanted).map(({ roleCapability }) => roleCapability));
    return present.filter((user) => roles.heldRoles(user).some(({ roleCapability }) => granting.has(roleCapability)));
  };
  const deciders = holding(({ definition }) => definition.name === "Approve-Elevation");
  const first = new Map<string, RoleEntry>();
  for (const entry of roles.entries) {
    if (entry.rules.requireApproval && !first.has(entry.roleCapability)) first.set(entry.roleCapability, entry);
  }
  const told = new Set<string>();
  for (const [role, { path }] of first) {
    const askers = holding(({ roleCapability }) => roleCapability === role);
    const alone = askers.filter((asker) => {
      const own = logIns.proofsOf(asker);
      return deciders.every((decider) => decider === asker || isNobodyElse(logIns.proofsOf(decider), own));
    });
    if (alone.length > 0) {
      const [who, them] = [inFew(alone), "nobody can approve their own request"];
      warn([...path, "requireApproval"], `${who} can ask for approval, and nobody else can give it: ${them}.`);
    }
    for (const [proof, shared] of usersByProof([...new Set([...askers, ...deciders])], logIns)) {
      const asking = askers.filter((user) => shared.has(user));
      const deciding = deciders.filter((user) => shared.has(user));
      if (told.has(proof) || asking.length === 0 || deciding.length === 0 || shared.size < 2) continue;
      told.add(proof);
      const [ask, give] = [asking.length === 1 ? "asks" : "ask", deciding.length === 1 ? "gives" : "give"];
      warn(
        [...path, "requireApproval"],
        `${proof} logs in as ${inFew(asking)}, who ${ask} for approval, and as ${inFew(deciding)}, who ${give} it. One person may be both.`,
      );
    }
  }
};
