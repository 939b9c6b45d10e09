import type { AuditEvent, EventLog } from "../audit/event.ts";
import { loadRolesFile, type LoadedRoles } from "../authorization/roles-file.ts";
import { commands } from "../../commands/index.ts";
import type { AuthorizedKeys } from "../identity/authorized-keys.ts";
import type { TrustAnchors } from "../identity/key-authenticator.ts";
import type { Io } from "../cli/io.ts";

/** Which certificate authorities and revoked keys count from now on; on the record where there are any. */
export const recordAnchors = async (anchors: TrustAnchors, log: EventLog, io: Io): Promise<void> => {
  for (const problem of anchors.problems) io.stderr.write(`pep: ${problem}\n`);
  for (const problem of anchors.problems) {
    await log.append({ type: "configuration-refused", what: "trust-anchors", problem: problem.slice(0, 1000) });
  }
  if (anchors.digest !== undefined) {
    await log.append({ type: "configuration-loaded", what: "trust-anchors", digest: anchors.digest });
  }
};

/** Reads roles and keys again on SIGHUP; what is broken never replaces what is good. */
export const createReload = (
  rolesPath: string,
  apply: (roles: LoadedRoles) => void,
  keys: AuthorizedKeys,
  anchors: TrustAnchors,
  log: EventLog,
  io: Io,
) => {
  return async (): Promise<void> => {
    // Keys first: that a removed or revoked key is refused must not depend on a record that can't be written.
    anchors.reload();
    let problems: readonly string[];
    try {
      problems = keys.reload();
    } catch (error) {
      problems = [`kept the keys in force: ${error instanceof Error ? error.message : String(error)}`];
    }
    for (const problem of problems) io.stderr.write(`pep: ${problem}\n`);
    let outcome: AuditEvent;
    try {
      const roles = loadRolesFile(rolesPath, commands);
      apply(roles);
      outcome = { type: "configuration-loaded", what: "roles", digest: roles.digest };
      io.stderr.write(`pep: reloaded ${rolesPath}\n`);
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      outcome = { type: "configuration-refused", what: "roles", problem: problem.slice(0, 1000) };
      io.stderr.write(`pep: kept the roles in force: ${problem}\n`);
    }
    await recordAnchors(anchors, log, io);
    await log.append({ type: "configuration-loaded", what: "authorized-keys", digest: keys.digest });
    await log.append(outcome);
  };
};
