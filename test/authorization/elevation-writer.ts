/**
 * Asks, approves and uses in a loop, to be killed: prints each approval and each use once it is acknowledged. The store is
 * made smaller at nearly every step. Argument: the store's file.
 */
import { writeSync } from "node:fs";
import { openElevationStore } from "../../server/authorization/elevation-store.ts";
import { Elevations } from "../../server/authorization/elevation.ts";
import { keepCompiled } from "../harness/compile-cache.ts";

keepCompiled();
const [path = ""] = process.argv.slice(2);
const elevations = new Elevations({
  store: await openElevationStore(path),
  log: { append: () => Promise.resolve() }, // the store alone must do; the log would help it
  now: () => new Date(),
  times: () => ({ requestMs: 3_600_000, approvalMs: 3_600_000 }),
  over: new Set(),
  spareLines: 2,
});
const party = (connectedUser: string) => ({ connectedUser, keyFingerprint: `SHA256:${connectedUser}`, origin: {} });
// Not by a stream: what a kill leaves in its buffer was acknowledged and would not be seen.
const say = (what: string): void => void writeSync(1, `${what}\n`);

for (let count = 0; ; count += 1) {
  const digest = `digest ${count}`;
  const asked = { command: "Get-RecoveryKeys", invocation: "Get-RecoveryKeys -raw", digest, reason: "x", ceiling: 1 };
  const { requestId } = await elevations.request(asked, party("alice"));
  await elevations.decide(requestId, "approved", "ok", party("bob"));
  say(`approved ${requestId} ${digest}`);
  // Some stay approved, as many as one user may have open at once.
  if (count % 100 < 5 && count < 300) continue;
  say(`using ${requestId}`);
  await elevations.consume(requestId, digest, party("alice"));
  say(`used ${requestId}`);
}
