import type { AuditEvent, EventLog } from "../audit/event.ts";
import type { TrustAnchors } from "../identity/key-authenticator.ts";
import type { Runtime } from "../runtime.ts";
import type { Inputs } from "./inputs.ts";

/** Which certificate authorities and revoked keys count from now on; on the record where there are any. */
export const recordAnchors = async (anchors: TrustAnchors, log: EventLog, report: Runtime["report"]): Promise<void> => {
  for (const problem of anchors.problems) report(problem);
  for (const problem of anchors.problems) {
    await log.append({ type: "configuration-refused", what: "trust-anchors", problem: problem.slice(0, 1000) });
  }
  if (anchors.digest !== undefined) {
    await log.append({ type: "configuration-loaded", what: "trust-anchors", digest: anchors.digest });
  }
};

/** Reads roles and keys again on SIGHUP; what is broken never replaces what is good. */
export const reloadInputs = async (
  { keys, anchors, roles }: Pick<Inputs, "keys" | "anchors" | "roles">,
  log: EventLog,
  report: Runtime["report"],
): Promise<void> => {
  // Keys first: that a removed or revoked key is refused must not depend on a record that can't be written.
  anchors.reload();
  let problems: readonly string[];
  try {
    problems = keys.reload();
  } catch (error) {
    problems = [`kept the keys in force: ${error instanceof Error ? error.message : String(error)}`];
  }
  problems.forEach(report);
  let outcome: AuditEvent;
  try {
    outcome = { type: "configuration-loaded", what: "roles", digest: roles.reload().digest };
    report(`reloaded ${roles.path}`);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    outcome = { type: "configuration-refused", what: "roles", problem: problem.slice(0, 1000) };
    report(`kept the roles in force: ${problem}`);
  }
  await recordAnchors(anchors, log, report);
  await log.append({ type: "configuration-loaded", what: "authorized-keys", digest: keys.digest });
  await log.append(outcome);
};
