/*
 * ATTACK  One person logs in under several names, by a certificate for a group (`group:helpdesk`) or by one key that several users have,
 *         and takes each name's share: of keys within an hour, of sessions, of running commands, of wrong codes. Or makes a fresh key
 *         for each guess and has it certified.
 * DANGER  A limit times the members of a group; guessing codes without a wait.
 * EXPECT  Each limit counts the key and the certificate's key id as well as the user, over a restart. Nobody else waits for it: not
 *         another holder of a certificate, and not the owner's own key that gave a right code.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readRecentLog } from "../../server/audit/read-recent-log.ts";
import type { Party } from "../../server/identity/party.ts";
import { CodeDelay } from "../../server/identity/second-factor/code-delay.ts";
import { CommandTurns } from "../../server/session/command-turns.ts";
import { DisclosureCounts } from "../../server/session/disclosure-counts.ts";
import { startCertifiedEndpoint } from "../harness/certified-endpoint.ts";
import { createStage, rolesText } from "../harness/elevation-stage.ts";
import { limitsOf } from "../harness/limits.ts";
import { outcomeOf, stageSecondFactors } from "../harness/second-factor-stage.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

const authority = "SHA256:authority";
const holder = (connectedUser: string, keyFingerprint: string, keyId = "mallory@corp"): Party => ({
  connectedUser,
  keyFingerprint,
  certificate: { authority, keyId },
});
const limit = { most: 5, roleCapability: "operator" };
const ids = (from: number): string[] => Array.from({ length: 5 }, (_, index) => `K-${from + index}`);
const never = new AbortController().signal;

test("a certificate for a group has one hour's share, under whatever name and key", () => {
  const counts = new DisclosureCounts(() => new Date(), []);
  counts.reserve(holder("support", "SHA256:1"), ids(0), limit);
  expect(() => counts.reserve(holder("helpdesk", "SHA256:2"), ids(10), limit)).toThrow("disclosuresPerHour");
  expect(() => counts.reserve({ connectedUser: "helpdesk", keyFingerprint: "SHA256:1" }, ids(10), limit)).toThrow(
    "disclosuresPerHour",
  );
  counts.reserve(holder("helpdesk", "SHA256:3", "honest@corp"), ids(10), limit);
});

test("a batch that was taken back counts under none of its names", () => {
  const counts = new DisclosureCounts(() => new Date(), []);
  counts.reserve(holder("support", "SHA256:1"), ids(0), limit)();
  expect(() => counts.reserve(holder("helpdesk", "SHA256:2"), ids(10), limit)).not.toThrow();
});

test("what a command disclosed is on the record with what proved its user, and counts after a restart", async () => {
  const stage = await createStage();
  stage.setRoles(rolesText({ requireApproval: false }));
  const certificate = { authority, keyId: "mallory@corp" };
  const ran = await stage.run("alice", "Get-RecoveryKeys -raw", { key: "SHA256:1", certificate });
  expect(ran.outcome.exitStatus).toBe(0);
  const { shownKeys } = readRecentLog(join(stage.directory, "log"), new Date());
  const counts = new DisclosureCounts(() => new Date(), shownKeys);
  expect(() => counts.reserve(holder("carol", "SHA256:2"), ["another"], limit)).toThrow("You were shown 6 different");
  counts.reserve(holder("carol", "SHA256:2", "carol@corp"), ["another"], limit);
});

test("a disclosure of a record from before counts by its user", () => {
  const directory = temporaryDirectory();
  const now = new Date("2026-05-04T12:00:00.000Z");
  const event = { type: "disclosure", connectedUser: "carol", keys: ids(0).map((keyId) => ({ keyId })) };
  const recorded = JSON.stringify({ seq: 1, at: "2026-05-04T11:30:00.000Z", uptimeMs: 1, event });
  writeFileSync(join(directory, "000000000001.ndjson"), `${recorded}\n`);
  const counts = new DisclosureCounts(() => now, readRecentLog(directory, now).shownKeys);
  expect(() => counts.reserve(holder("carol", "SHA256:2"), ["another"], limit)).toThrow("You were shown 5 different");
  counts.reserve(holder("dave", "SHA256:2"), ["another"], limit);
});

test("commands of one certificate run side by side only as many as one person's", async () => {
  const { turns } = limitsOf();
  const one = new CommandTurns(() => 1);
  const first = await one.take(holder("support", "SHA256:1"), never);
  let second = false;
  const waiting = one.take(holder("helpdesk", "SHA256:2"), never).then((turn) => {
    second = true;
    return turn;
  });
  // Somebody else doesn't wait, although an earlier one of the same user name does.
  (await one.take({ connectedUser: "exporter", keyFingerprint: "SHA256:9" }, never)).end();
  expect(second).toBe(false);
  first.end();
  (await waiting).end();
  (await turns.take(holder("support", "SHA256:1"), never)).end();
});

test("a fresh certificate for a fresh key has no fresh guesses", async () => {
  const stage = stageSecondFactors();
  const { secret } = await stage.enrol("support");
  await stage.enrol("exporter");
  const guess = async (party: Party): Promise<string> =>
    outcomeOf(await stage.secondFactor.judge({ ...party, answer: "00000-00000" }));
  const guesses: string[] = [];
  for (let key = 0; key < 18; key += 1) guesses.push(await guess(holder("support", `SHA256:${key}`)));
  expect(guesses.filter((outcome) => outcome === "too many wrong codes")).toHaveLength(15);
  // Nor for another member of the group; and a right code for that member frees no guess for the first.
  expect(await guess(holder("exporter", "SHA256:99"))).toBe("too many wrong codes");
  const owner = { connectedUser: "support", keyFingerprint: "SHA256:owner" };
  expect(outcomeOf(await stage.secondFactor.judge({ ...owner, answer: stage.codeOf(secret) }))).toBe("in");
  expect(await guess(holder("support", "SHA256:100"))).toBe("too many wrong codes");
});

test("ever new key ids share thirty guesses for a user; who gave a right code before waits for none of them", () => {
  const delay = new CodeDelay();
  const owner = { connectedUser: "support", keyFingerprint: "SHA256:owner" };
  const fresh = (index: number): Party => holder("support", `SHA256:${index}`, `id ${index}`);
  let judged = 0;
  for (let index = 0; index < 1_000; index += 1) {
    if (delay.waitMs(fresh(index), 0) > 0) continue;
    delay.failed(fresh(index), 0);
    judged += 1;
  }
  expect(judged).toBe(30);
  expect(delay.waitMs(owner, 0)).toBeGreaterThan(0);
  // What the record says of the time before a start.
  delay.succeeded(owner);
  expect(delay.waitMs(owner, 0)).toBe(0);
  expect(delay.waitMs({ connectedUser: "exporter", keyFingerprint: "SHA256:colleague" }, 0)).toBe(0);
});

test("a log-in with a code is read from the record at a start", () => {
  const directory = temporaryDirectory();
  const event = { type: "authentication", connectionId: "C-1", connectedUser: "support", outcome: "accepted" };
  const more = { method: "keyboard-interactive", keyFingerprint: "SHA256:owner", secondFactor: "code" };
  const line = JSON.stringify({ seq: 1, at: "2026-05-04T11:30:00.000Z", uptimeMs: 1, event: { ...event, ...more } });
  writeFileSync(join(directory, "000000000001.ndjson"), `${line}\n`);
  const { gaveCode } = readRecentLog(directory, new Date("2026-05-04T12:00:00.000Z"));
  expect(gaveCode).toEqual([{ connectedUser: "support", keyFingerprint: "SHA256:owner", certificate: undefined }]);
});

test("sessions of a real certificate count together, whichever user it names", async () => {
  const it = await startCertifiedEndpoint();
  const roles: { session: object } = JSON.parse(it.read("jea-roles.json"));
  it.replace("jea-roles.json", JSON.stringify({ ...roles, session: { ...roles.session, sessionsPerUser: 1 } }));
  await it.reload();
  const { options } = await it.certify("auditor", ["-I", "mallory@corp"]);
  const { options: second } = await it.certify("guest", ["-I", "mallory@corp"]);
  const { options: honest } = await it.certify("guest", ["-I", "guest@corp"]);
  const following = it.endpoint.ssh("auditor", "Get-AuditEvent -Follow -Format ndjson", { options: [...options] });
  const started = (): number => it.endpoint.events().filter(({ type }) => type === "session-started").length;
  await expect.poll(started, { timeout: 20_000 }).toBe(1);
  expect((await it.endpoint.ssh("guest", "Get-Command", { options: [...second] })).status).toBe(5);
  expect((await it.endpoint.ssh("guest", "Get-Command", { options: [...honest] })).status).toBe(0);
  it.endpoint.signal("SIGTERM");
  await following;
}, 120_000);
