import type { EventLog } from "../audit/event.ts";
import { loadRolesFile, type LoadedRoles } from "../authorization/roles-file.ts";
import { commands } from "../../commands/index.ts";
import type { AuthorizedKeys } from "../ssh/authorized-keys.ts";
import type { TrustAnchors } from "../ssh/key-authenticator.ts";
import type { Io } from "./io.ts";

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

/** Reads roles and keys again on SIGHUP; what is broken never replaces what is good (design §8). */
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
    let refused = "";
    let digest: string | undefined;
    try {
      const roles = loadRolesFile(rolesPath, commands);
      apply(roles);
      ({ digest } = roles);
      io.stderr.write(`pep: reloaded ${rolesPath}\n`);
    } catch (error) {
      refused = error instanceof Error ? error.message : String(error);
      io.stderr.write(`pep: kept the roles in force: ${refused}\n`);
    }
    await recordAnchors(anchors, log, io);
    await log.append({ type: "configuration-loaded", what: "authorized-keys", digest: keys.digest });
    await log.append(
      digest !== undefined
        ? { type: "configuration-loaded", what: "roles", digest }
        : { type: "configuration-refused", what: "roles", problem: refused.slice(0, 1000) },
    );
  };
};
